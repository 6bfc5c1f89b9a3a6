"""Finds a key in the keyring of the session that Node.js was started in, where such are kept for all of it."""

import ctypes

from attempt import call

SEARCH, SESSION = 10, -3


def probe():
    kind, name = ctypes.c_char_p(b"user"), ctypes.c_char_p(b"scientist-pool-abuse")
    return "key %d" % call("keyctl", SEARCH, SESSION, kind, name, 0)
