"""Connects to a UNIX socket of the host that has a name but no file."""

import os
import socket

# A listener's name may be filled up with NULs to the length that a name can have.
LONGEST = 108


def probe():
    name = b"\0" + os.environ["LISTENER_NAME"].encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        try:
            line.connect(name)
        except ConnectionRefusedError:
            line.connect(name.ljust(LONGEST, b"\0"))
        return "the host's service said %s" % line.recv(16).decode()
