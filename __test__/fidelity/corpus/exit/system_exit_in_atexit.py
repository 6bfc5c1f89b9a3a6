#: mask ["0x[0-9a-f]+"]
import atexit
import sys


def leave():
    print("leaving")
    sys.exit(4)


atexit.register(leave)
print("end")
