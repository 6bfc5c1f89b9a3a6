"""Changes its root folder."""

import os


def probe():
    os.chroot("/tmp")
    return "a new root"
