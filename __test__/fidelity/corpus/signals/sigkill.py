import os
import signal
import sys

print("kept", flush=True)
sys.stdout.write("lost")
os.kill(os.getpid(), signal.SIGKILL)
