"""Opens the memory and the descriptors of the process that makes the containers."""

import glob
import os

from attempt import containing, some


def probe():
    found = []
    for comm in containing(b"scientist-pool", glob.glob("/proc/[0-9]*/comm")):
        folder = os.path.dirname(comm)
        try:
            os.close(os.open(folder + "/mem", os.O_RDWR))
            found += os.listdir(folder + "/fd")
        except OSError:
            pass
    return some(found)
