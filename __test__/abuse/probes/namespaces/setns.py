"""Enters a namespace it can name: its own, to begin with."""

import os

from attempt import LIBC, checked


def probe():
    fd = os.open("/proc/self/ns/uts", os.O_RDONLY)
    try:
        checked(LIBC.setns(fd, 0))
    finally:
        os.close(fd)
    return "a namespace was entered"
