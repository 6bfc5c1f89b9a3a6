"""Becomes root, or is root already."""

import os


def probe():
    os.setuid(0)
    return "user 0"
