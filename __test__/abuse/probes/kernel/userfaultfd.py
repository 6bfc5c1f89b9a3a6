"""Handles page faults itself, which many exploits of the kernel need."""

from attempt import call, opened


def probe():
    return opened("userfaultfd", call("userfaultfd", 0))
