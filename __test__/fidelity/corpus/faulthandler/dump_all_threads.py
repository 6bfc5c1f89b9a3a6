#: mask ["0x[0-9a-f]+"]
import faulthandler
import threading

event, ready = threading.Event(), threading.Event()


def wait():
    ready.set()
    event.wait()


threading.Thread(target=wait).start()
ready.wait()
__import__("time").sleep(0.1)
faulthandler.dump_traceback(all_threads=True)
event.set()
