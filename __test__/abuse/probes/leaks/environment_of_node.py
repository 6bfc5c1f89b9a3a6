"""Looks for what is in the environment of the Node.js process."""

import glob

from attempt import canary, containing, some


def probe():
    return some(containing(canary("node"), glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline")))
