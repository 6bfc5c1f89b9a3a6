"""Has the kernel encrypt, by a family of sockets that exploits like."""

import socket

from attempt import open_socket


def probe():
    open_socket(socket.AF_ALG, socket.SOCK_SEQPACKET)
    return "an AF_ALG socket"
