"""Speaks to devices directly, past the kernel."""

from attempt import call


def probe():
    call("iopl", 3)
    return "all ports are open"
