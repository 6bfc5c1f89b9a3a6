#: alone true
import os
import signal
import time

for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP):
    os.kill(1, number)
time.sleep(0.1)
print("alive")
