"""Writes more into /tmp than it is to hold."""

import os


def probe():
    try:
        for number in range(3):
            with open("/tmp/fill%d" % number, "wb") as file:
                for _ in range(28):
                    file.write(bytes(1 << 20))
    finally:
        for number in range(3):
            if os.path.exists("/tmp/fill%d" % number):
                os.unlink("/tmp/fill%d" % number)
    return "84 MiB were written"
