#: env {"PATH": "/tmp/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
#: cold true
import os
import subprocess
import sys

print(os.environ["PATH"], sys.executable, sys.prefix)
print(subprocess.check_output(["sh", "-c", "echo $PATH"]))
