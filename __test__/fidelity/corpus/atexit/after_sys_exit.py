import atexit
import sys


@atexit.register
def handler():
    print("handler", sys.exc_info())


sys.exit("bye")
