"""Gives itself more of the processor than others have."""

import os


def probe():
    return "niceness %d" % os.nice(-1)
