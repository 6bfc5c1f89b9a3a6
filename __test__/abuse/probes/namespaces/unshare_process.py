"""Makes itself a process namespace."""

from attempt import LIBC, checked


def probe():
    checked(LIBC.unshare(0x20000000))
    return "a new namespace"
