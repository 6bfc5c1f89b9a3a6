#: args ["a"]
#: env {"X": "y"}
import subprocess
import sys

code = "import sys, os; print(sys.argv, sys.path, sys.flags, os.environ['X'], __name__, sorted(globals()))"
print(subprocess.check_output([sys.executable, "-c", code], text=True))
print(subprocess.check_output([sys.executable, "-"], input=code, text=True))
