import os
import time

r, w = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.write(w, str(os.getpid()).encode())
        os._exit(0)
    os._exit(0)
os.wait()
pid = int(os.read(r, 10))
print(pid > 1)
