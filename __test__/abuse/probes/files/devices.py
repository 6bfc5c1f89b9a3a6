"""Looks for devices beside those every container has."""

import os
import stat

from attempt import some

USUAL = "console full fd mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero core".split()


def probe():
    found = []
    for name in os.listdir("/dev"):
        mode = os.lstat("/dev/" + name).st_mode
        if name not in USUAL and (stat.S_ISBLK(mode) or stat.S_ISCHR(mode)):
            found.append(name)
    return some(found)
