#: env {"LD_LIBRARY_PATH": "/tmp/lib", "LD_BIND_NOW": "1"}
#: cold true
import os
import subprocess

print(os.environ["LD_LIBRARY_PATH"], subprocess.check_output(["sh", "-c", "echo $LD_BIND_NOW"]))
