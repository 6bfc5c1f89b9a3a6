"""Looks for what a file of the host says, in every place where it might be."""

import os
from itertools import islice

from attempt import canary, containing, some

FOLDERS = "/mnt /tmp /dev/shm /etc /home /media /root /run /srv".split()


def probe():
    # One is enough.
    return some(islice(containing(canary("host"), files()), 1))


def files():
    for folder in FOLDERS:
        for place, _, names in os.walk(folder):
            # Reading a pipe or a device might not end.
            yield from filter(os.path.isfile, (os.path.join(place, name) for name in names))
