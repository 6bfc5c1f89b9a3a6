"""Looks for what is in the environment and the arguments of another container."""

import glob

from attempt import containing, some

# In two parts, so that this text itself is none.
CANARY = b"canary-of-" + b"the-neighbour"


def probe():
    return some(containing(CANARY, glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")))
