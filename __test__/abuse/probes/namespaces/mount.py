"""Mounts a file system."""

import os

from attempt import LIBC, checked


def probe():
    os.mkdir("/tmp/mounted")
    try:
        checked(LIBC.mount(b"none", b"/tmp/mounted", b"tmpfs", 0, None))
        checked(LIBC.umount2(b"/tmp/mounted", 0))
    finally:
        os.rmdir("/tmp/mounted")
    return "a tmpfs was mounted"
