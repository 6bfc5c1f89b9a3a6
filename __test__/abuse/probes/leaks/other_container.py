"""Looks for what is in the environment, the arguments and the files of another container."""

import glob

from attempt import some

# In two parts, so that this text itself is none.
CANARY = b"canary-of-" + b"the-neighbour"


def probe():
    found = []
    for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if CANARY in file.read(1 << 20):
                    found.append(path)
        except OSError:
            pass
    return some(found)
