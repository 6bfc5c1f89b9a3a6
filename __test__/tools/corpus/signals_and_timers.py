"""An alarm, and a signal to itself."""
import os
import signal
import time

got = []
signal.signal(signal.SIGALRM, lambda number, frame: got.append("alarm"))
signal.signal(signal.SIGUSR1, lambda number, frame: got.append("user"))
os.kill(os.getpid(), signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0.01)
while "alarm" not in got:
    time.sleep(0.005)
print(got)
