import locale

print(sorted(locale.localeconv().items()))
print(locale.nl_langinfo(locale.CODESET), locale.nl_langinfo(locale.RADIXCHAR))
