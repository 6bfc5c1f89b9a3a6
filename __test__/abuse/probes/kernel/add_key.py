"""Keeps a key in the kernel, in a keyring that ends with the process."""

import ctypes

from attempt import call

PROCESS = -2


def probe():
    kind, name, value = (ctypes.c_char_p(text) for text in (b"user", b"probe", b"value"))
    return "key %d" % call("add_key", kind, name, value, 5, PROCESS)
