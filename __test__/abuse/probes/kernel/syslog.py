"""Reads the kernel's log: its size alone."""

from attempt import call

SIZE_BUFFER = 10


def probe():
    return "a log of %d bytes" % call("syslog", SIZE_BUFFER, 0, 0)
