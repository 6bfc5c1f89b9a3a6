import subprocess
import sys

print("first")
sys.stdout.flush()
subprocess.run(["sh", "-c", "echo second; echo error >&2"])
print("third")
