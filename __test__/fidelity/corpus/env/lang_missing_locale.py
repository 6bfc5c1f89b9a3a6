#: env {"LANG": "de_DE.UTF-8"}
#: cold true
import locale
import os
import sys

print(sys.flags.utf8_mode, sys.getfilesystemencoding(), os.environ.get("LC_CTYPE"))
try:
    print(locale.setlocale(locale.LC_ALL, ""))
except locale.Error as error:
    print(error)
