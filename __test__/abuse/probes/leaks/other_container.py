"""Looks for what is in the environment and the arguments of another container."""

import glob

from attempt import canary, containing, some


def probe():
    return some(containing(canary("neighbour"), glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")))
