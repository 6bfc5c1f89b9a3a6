"""Leaves something behind in every place where the next script might find it."""

import ctypes
import os
import socket
import time

for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/root"):
    try:
        with open(folder + "/trace", "w") as file:
            file.write("a trace")
    except OSError:
        pass
# System V shared memory outlives its process. IPC_CREAT with the mode.
ctypes.CDLL(None).shmget(0x5CA1E, ctypes.c_size_t(4096), 0o1666)
if os.fork() == 0:
    os.setsid()
    for fd in range(3):
        os.close(fd)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0trace")
    listener.listen()
    time.sleep(600)
while True:
    # Until it listens.
    try:
        socket.socket(socket.AF_UNIX).connect("\0trace")
        break
    except ConnectionRefusedError:
        time.sleep(0.01)
print("left")
