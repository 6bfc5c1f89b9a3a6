"""Opens a device of the machine that it makes itself: the kernel's log."""

import os
import stat

from attempt import opened


def probe():
    os.mknod("/tmp/log", stat.S_IFCHR | 0o600, os.makedev(1, 11))
    try:
        return opened("the log", os.open("/tmp/log", os.O_RDONLY))
    finally:
        os.unlink("/tmp/log")
