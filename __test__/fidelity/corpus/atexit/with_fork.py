import atexit
import os
import sys

atexit.register(print, "handler")
print("once")
sys.stdout.flush()
if os.fork() == 0:
    os._exit(0)
os.wait()
