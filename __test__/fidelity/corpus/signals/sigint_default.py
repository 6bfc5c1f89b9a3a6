import os
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
print("lost")
os.kill(os.getpid(), signal.SIGINT)
