"""Restarts the machine, without the word that the kernel wants to hear for it."""

from attempt import reach


def probe():
    return reach("reboot", 0, 0, 0, 0)
