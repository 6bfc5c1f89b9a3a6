#: env {"PYTHONHASHSEED": "0"}
#: cold true
import sys

print(hash("x"), sys.flags.hash_randomization, list({"a", "b", "c", "d"}))
