import atexit
import sys

value = [1, 2, 3]


@atexit.register
def handler():
    print(value, sys.argv, __name__, sorted(globals())[-1])
