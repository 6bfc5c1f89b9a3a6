"""Starts a process in a user namespace of its own, by clone."""

import os

from attempt import call

CLONE_NEWUSER, SIGCHLD = 0x10000000, 17


def probe():
    pid = call("clone", CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "a process in a new user namespace"
