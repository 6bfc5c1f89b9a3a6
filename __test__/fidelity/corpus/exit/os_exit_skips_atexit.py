import atexit
import os

atexit.register(print, "never")
os.write(1, b"direct\n")
os._exit(255)
