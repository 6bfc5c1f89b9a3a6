#: env {"A": "one", "B": "é"}
import os
import subprocess

print(subprocess.check_output(["env"]).split(b"\n") == [
    ("%s=%s" % item).encode() for item in os.environ.items()] + [b""])
print(subprocess.check_output(["sh", "-c", "echo $A $B"]))
print(subprocess.check_output(["sh", "-c", "env | grep -c ^PYTHON; true"]))
