#: env {"PYTHONINSPECT": "1"}
#: cold true
import sys

print(sys.flags.inspect)
1 / 0
