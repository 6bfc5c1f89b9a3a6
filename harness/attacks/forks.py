"""Starts processes without end."""

import os
import signal

print("begun", flush=True)
while True:
    try:
        if os.fork() == 0:
            signal.alarm(5)
    except BlockingIOError:
        # No more are to be had for now.
        pass
