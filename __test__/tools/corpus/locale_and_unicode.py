"""Languages and their characters."""
import locale
import unicodedata

print(locale.setlocale(locale.LC_ALL, "C.UTF-8"), locale.getpreferredencoding())
print(locale.format_string("%d %.2f", (1234567, 1.5), grouping=True))
word = "Ångström ﬁ ½ Ⅷ"
for form in ("NFC", "NFD", "NFKC"):
    print(form, len(unicodedata.normalize(form, word)))
print(sorted(["z", "ä", "a", "Z"], key=str.casefold), "straße".upper(), "日本語".encode("shift_jis"))
