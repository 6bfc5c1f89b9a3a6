import sys
import traceback


def f():
    raise ValueError("printed")


try:
    f()
except ValueError:
    traceback.print_exc()
    text = traceback.format_exc()
    print(text)
    print(traceback.extract_tb(sys.exc_info()[2]))
