#: env {"LC_ALL": "C"}
#: cold true
import locale
import os
import sys

print(sys.flags.utf8_mode, sys.getfilesystemencoding(), locale.getlocale(), os.environ.get("LC_CTYPE"))
print(sys.stdin.errors, sys.stdout.errors)
