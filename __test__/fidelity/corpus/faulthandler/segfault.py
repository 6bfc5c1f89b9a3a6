#: mask ["0x[0-9a-f]+", "Extension modules:.*"]
import ctypes
import faulthandler

faulthandler.enable()


def crash():
    ctypes.string_at(0)


crash()
