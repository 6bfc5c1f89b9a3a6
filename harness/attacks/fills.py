"""Fills /tmp, empties it, and begins again."""

import os

print("begun", flush=True)
number = 0
while True:
    try:
        with open("/tmp/%d" % number, "wb") as file:
            for _ in range(16):
                file.write(bytes(1 << 20))
        number += 1
    except OSError:
        for name in os.listdir("/tmp"):
            os.unlink("/tmp/" + name)
        number = 0
