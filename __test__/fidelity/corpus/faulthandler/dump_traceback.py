#: mask ["0x[0-9a-f]+"]
import faulthandler
import sys


def f():
    faulthandler.dump_traceback(sys.stderr)


print(faulthandler.is_enabled())
f()
