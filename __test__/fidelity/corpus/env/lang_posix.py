#: env {"LANG": "C", "LC_CTYPE": "POSIX"}
#: cold true
import os
import sys

print(sys.flags.utf8_mode, sys.stdout.encoding, sys.stdout.errors, os.environ.get("LC_CTYPE"))
