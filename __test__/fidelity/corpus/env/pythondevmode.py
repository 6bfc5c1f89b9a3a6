#: env {"PYTHONDEVMODE": "1"}
#: cold true
import sys

print(sys.flags.dev_mode, sys.warnoptions, sys.flags)
