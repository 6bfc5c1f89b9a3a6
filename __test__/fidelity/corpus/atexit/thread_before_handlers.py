import atexit
import threading
import time

atexit.register(print, "handler last")


def late():
    time.sleep(0.1)
    print("thread first")


threading.Thread(target=late).start()
