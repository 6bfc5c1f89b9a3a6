"""Mounts a /proc of its own, in which nothing is masked."""

import os

from attempt import LIBC, checked


def probe():
    os.mkdir("/dev/shm/proc")
    try:
        checked(LIBC.mount(b"proc", b"/dev/shm/proc", b"proc", 0, None))
        checked(LIBC.umount2(b"/dev/shm/proc", 0))
    finally:
        os.rmdir("/dev/shm/proc")
    return "a /proc was mounted"
