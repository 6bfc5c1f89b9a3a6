"""Makes itself a UTS namespace."""

from attempt import LIBC, checked


def probe():
    checked(LIBC.unshare(0x04000000))
    return "a new namespace"
