"""Looks for descriptors that nobody meant it to have: the launcher's socket, its hold on processes."""

import os

from attempt import some


def probe():
    found = []
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            leads_to = os.readlink("/proc/self/fd/%d" % number)
        except OSError:
            # The folder that was listed.
            continue
        # What reports of this has pipes.
        if number > 2 and not leads_to.startswith("pipe:"):
            found.append(leads_to)
    return some(found)
