#: mask ["0x[0-9a-f]+"]
import atexit


def bad():
    raise ValueError("in a handler")


atexit.register(print, "runs after")
atexit.register(bad)
