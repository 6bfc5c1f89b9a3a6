import subprocess
import sys

code = "import sitecustomize; print(sitecustomize.__file__ if hasattr(sitecustomize, '__file__') else None)"
print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
