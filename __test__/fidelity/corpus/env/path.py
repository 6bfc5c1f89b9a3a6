#: env {"PATH": "/bin:/usr/local/bin"}
#: cold true
import os
import shutil
import sys

print(os.environ["PATH"], sys.executable, shutil.which("sh"))
