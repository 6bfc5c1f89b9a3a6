"""Begins to mount a file system by the newer calls."""

import ctypes

from attempt import call, opened


def probe():
    return opened("a file system", call("fsopen", ctypes.c_char_p(b"tmpfs"), 0))
