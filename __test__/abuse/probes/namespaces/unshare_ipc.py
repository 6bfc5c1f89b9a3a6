"""Makes itself an IPC namespace."""

from attempt import LIBC, checked


def probe():
    checked(LIBC.unshare(0x08000000))
    return "a new namespace"
