"""Swaps to a file that is not there."""

import ctypes

from attempt import reach


def probe():
    return reach("swapon", ctypes.c_char_p(b"/no/such/file"), 0)
