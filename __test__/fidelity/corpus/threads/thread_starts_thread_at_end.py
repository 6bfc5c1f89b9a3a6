import threading
import time

second_has_printed = threading.Event()


def second():
    time.sleep(0.05)
    print("second")
    second_has_printed.set()


def first():
    threading.Thread(target=second).start()
    second_has_printed.wait()
    print("first")


threading.Thread(target=first).start()
