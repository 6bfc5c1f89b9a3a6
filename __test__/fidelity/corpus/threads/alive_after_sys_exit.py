import sys
import threading
import time


def late():
    time.sleep(0.1)
    print("thread")
    sys.exit(9)


threading.Thread(target=late).start()
sys.exit(4)
