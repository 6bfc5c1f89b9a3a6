#: env {"PYTHONUNBUFFERED": "1"}
#: cold true
import os
import sys

sys.stdout.write("kept")
print(sys.flags.unbuffered if hasattr(sys.flags, "unbuffered") else sys.stdout.write_through)
os._exit(2)
