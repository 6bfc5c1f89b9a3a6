"""Opens what it shares with the machine and with other containers for writing, by mounting it anew."""

import os

from attempt import LIBC, some

MS_REMOUNT, MS_BIND = 32, 4096
# What is memory of its own.
OWN = "overlay proc tmpfs".split()


def probe():
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split(" - ") for line in file]
    found = []
    for place, kind in [(mount.split()[4], kind.split()[0]) for mount, kind in mounts]:
        if (kind in OWN and place != "/dev") or not os.path.isdir(place):
            continue
        if LIBC.mount(None, place.encode(), None, MS_REMOUNT | MS_BIND, None) == 0 and os.access(place, os.W_OK):
            found.append(place)
    return some(found)
