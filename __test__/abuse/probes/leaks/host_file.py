"""Looks for what a file of the host says, in every place where it might be."""

import os

from attempt import some

# In two parts, so that this text itself is none.
CANARY = b"canary-of-" + b"the-host"


def probe():
    found = []
    for path in below("/dev/shm", "/etc", "/home", "/media", "/mnt", "/root", "/run", "/srv", "/tmp"):
        try:
            with open(path, "rb") as file:
                if CANARY in file.read(1 << 20):
                    found.append(path)
        except OSError:
            pass
    return some(found)


def below(*folders):
    """All files in these folders that are no part of the kernel's own."""
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                if os.path.isfile(path):
                    yield path
