import os
import sys

code = "import sys; print(sys.argv, sys.path[0] == '', sys.flags.isolated); sys.exit(3)"
os.execv(sys.executable, ["python3", "-c", code, "x"])
