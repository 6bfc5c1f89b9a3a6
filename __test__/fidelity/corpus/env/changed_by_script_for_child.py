import os
import subprocess
import sys

os.environ["PYTHONPATH"] = "/tmp/mine"
code = "import sys; print('/tmp/mine' in sys.path)"
print(subprocess.check_output([sys.executable, "-c", code]))
del os.environ["PYTHONPATH"]
print(subprocess.check_output([sys.executable, "-c", code]))
