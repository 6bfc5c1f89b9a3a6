import os
import signal
import time


def handler(number, frame):
    raise TimeoutError("from the handler")


signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(5)
