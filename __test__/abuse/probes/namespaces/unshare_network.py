"""Makes itself a network namespace."""

from attempt import LIBC, checked


def probe():
    checked(LIBC.unshare(0x40000000))
    return "a new namespace"
