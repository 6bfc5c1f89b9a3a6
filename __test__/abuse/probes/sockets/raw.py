"""Sends packets with headers of its own making."""

import errno
import socket

from attempt import Absent


def probe():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise Absent("no such sockets here") from error
        raise
    return "a raw socket"
