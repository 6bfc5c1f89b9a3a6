"""Loads another kernel, of more parts than one may have."""

from attempt import reach


def probe():
    return reach("kexec_load", 0, 17, 0, 0)
