"""Looks for what an earlier script left behind, and prints what it finds."""

import ctypes
import os
import socket

found = []
for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/root"):
    try:
        if os.path.exists(folder + "/trace"):
            found.append(folder)
    except OSError:
        pass
if ctypes.CDLL(None).shmget(0x5CA1E, ctypes.c_size_t(4096), 0) != -1:
    found.append("shared memory")
try:
    socket.socket(socket.AF_UNIX).connect("\0trace")
    found.append("a process")
except OSError:
    pass
print(", ".join(found))
