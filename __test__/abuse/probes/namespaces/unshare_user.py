"""Makes itself a user namespace, in which it would be root."""

from attempt import LIBC, checked


def probe():
    checked(LIBC.unshare(0x10000000))
    return "a new namespace"
