import os
import time

r, w = os.pipe()
if os.fork() == 0:
    os.close(1)
    os.close(2)
    time.sleep(0.05)
    os._exit(0)
print("parent is done")
