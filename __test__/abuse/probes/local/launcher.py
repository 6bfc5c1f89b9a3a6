"""Looks for the process that makes the containers."""

import glob

from attempt import containing, some


def probe():
    return some(containing(b"scientist-pool", glob.glob("/proc/[0-9]*/comm")))
