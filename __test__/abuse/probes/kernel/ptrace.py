"""Takes hold of another process by ptrace: a child of its own."""

import os
import signal

from attempt import call

ATTACH, DETACH = 16, 17


def probe():
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        call("ptrace", ATTACH, child, 0, 0)
        os.waitpid(child, os.WUNTRACED)
        call("ptrace", DETACH, child, 0, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return "a process was taken hold of"
