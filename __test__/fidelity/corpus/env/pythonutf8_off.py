#: env {"PYTHONUTF8": "0", "LC_ALL": "C"}
#: cold true
import sys

print(sys.flags.utf8_mode, sys.getfilesystemencoding(), sys.stdout.encoding, sys.stdout.errors)
