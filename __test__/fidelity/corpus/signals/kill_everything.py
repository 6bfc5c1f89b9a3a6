#: alone true
import os
import signal
import time

try:
    os.kill(-1, signal.SIGKILL)
except OSError as error:
    print(type(error).__name__)
time.sleep(0.1)
print("alive")
