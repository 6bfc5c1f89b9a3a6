"""Makes itself a mount namespace."""

from attempt import LIBC, checked


def probe():
    checked(LIBC.unshare(0x00020000))
    return "a new namespace"
