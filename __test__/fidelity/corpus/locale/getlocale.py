import locale

print(locale.getlocale(), locale.getpreferredencoding(), locale.setlocale(locale.LC_ALL))
for name in ("LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES"):
    print(name, locale.setlocale(getattr(locale, name)))
