import pickle
import subprocess
import sys


class Thing:
    pass


data = pickle.dumps(Thing())
code = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
result = subprocess.run([sys.executable, "-c", code], input=data, stderr=subprocess.PIPE)
print(result.returncode)
print(result.stderr.decode().splitlines()[-1])
