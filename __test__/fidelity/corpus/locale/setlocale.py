import locale

print(locale.setlocale(locale.LC_ALL, ""))
try:
    locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
except locale.Error as error:
    print(error)
print(locale.setlocale(locale.LC_ALL, "C.UTF-8"), locale.str(1.5), locale.format_string("%d", 1000000, True))
