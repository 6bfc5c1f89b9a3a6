import subprocess
import sys

print(subprocess.check_output([sys.executable, "-"]))
print(subprocess.check_output([sys.executable, "-", "x"], input=b"import sys; print(sys.argv)"))
