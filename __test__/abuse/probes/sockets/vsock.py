"""Speaks to the host of this machine, where it is a virtual one, past the network."""

import errno
import socket

from attempt import Absent


def probe():
    try:
        socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise Absent("no such sockets here") from error
        raise
    return "an AF_VSOCK socket"
