"""Reads every packet of the network, past the kernel's own protocols."""

import errno
import socket

from attempt import Absent


def probe():
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3)).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise Absent("no such sockets here") from error
        raise
    return "a packet socket"
