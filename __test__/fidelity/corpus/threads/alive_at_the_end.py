import threading
import time


def late():
    time.sleep(0.2)
    print("the thread is waited for")


threading.Thread(target=late).start()
print("main ends")
