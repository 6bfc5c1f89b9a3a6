"""Starts a process in a user namespace of its own, by clone3, whose flags no filter sees."""

import ctypes
import os
import struct

from attempt import call

CLONE_NEWUSER, SIGCHLD = 0x10000000, 17


def probe():
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
    arguments = struct.pack("8Q", CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0)
    pid = call("clone3", ctypes.create_string_buffer(arguments, 64), 64)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "a process in a new user namespace"
