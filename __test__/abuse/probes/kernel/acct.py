"""Keeps accounts of all processes in a file that is not there."""

import ctypes

from attempt import reach


def probe():
    return reach("acct", ctypes.c_char_p(b"/no/such/file"))
