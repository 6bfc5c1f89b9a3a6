"""Looks for what is in the environment of the Node.js process."""

import glob

from attempt import some

# In two parts, so that this text itself is none.
CANARY = b"canary-of-" + b"node"


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
