"""Looks everywhere for a folder to write in, beside those meant for it."""

import os

from attempt import some, writable

MEANT = ("/tmp", "/dev/shm", "/dev/mqueue", "/proc")


def probe():
    return some(writable(folders()))


def folders():
    for folder, below, _ in os.walk("/"):
        below[:] = [name for name in below if os.path.join(folder, name) not in MEANT]
        yield folder
