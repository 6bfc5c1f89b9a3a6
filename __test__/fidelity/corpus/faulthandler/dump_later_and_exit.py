#: mask ["0x[0-9a-f]+"]
import faulthandler
import time

faulthandler.dump_traceback_later(0.2, exit=True)
time.sleep(5)
