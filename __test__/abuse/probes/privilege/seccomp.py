"""Asks whether system calls are filtered."""

from attempt import Stopped, status


def probe():
    if status()["Seccomp"] == "2":
        raise Stopped("Seccomp is 2: a filter")
    return "Seccomp is %s" % status()["Seccomp"]
