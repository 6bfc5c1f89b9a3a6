"""Makes a device node, of /dev/null."""

import os
import stat


def probe():
    os.mknod("/tmp/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.unlink("/tmp/device")
    return "a device was made"
