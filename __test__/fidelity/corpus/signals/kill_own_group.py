import os
import signal
import sys

print("kept", flush=True)
os.killpg(0, signal.SIGTERM)
