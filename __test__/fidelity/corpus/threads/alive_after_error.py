import threading
import time


def late():
    time.sleep(0.2)
    print("still here")


threading.Thread(target=late).start()
raise ValueError("main fails")
