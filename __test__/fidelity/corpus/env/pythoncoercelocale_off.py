#: env {"PYTHONCOERCECLOCALE": "0"}
#: cold true
import os
import sys

print(os.environ.get("LC_CTYPE"), sys.flags.utf8_mode, sys.stdout.encoding)
