class Noisy:
    def __del__(self):
        raise ValueError("in __del__")


noisy = Noisy.__new__(Noisy)
Noisy.__repr__ = lambda self: "<noisy>"
Noisy.__del__.__qualname__ = "Noisy.__del__"
import sys


def hook(info):
    print(type(info.exc_value).__name__, info.exc_value, info.err_msg)


sys.unraisablehook = hook
del noisy
print("still here")
