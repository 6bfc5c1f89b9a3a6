"""Takes memory without end, by children that are killed for it."""

import os

print("begun", flush=True)
while True:
    pid = os.fork()
    if pid == 0:
        pieces = []
        while True:
            pieces.append(bytearray(b"x") * (1 << 20))
    os.waitpid(pid, 0)
