"""Has the kernel encrypt, by a family of sockets that exploits like."""

import errno
import socket

from attempt import Absent


def probe():
    try:
        socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise Absent("no such sockets here") from error
        raise
    return "an AF_ALG socket"
