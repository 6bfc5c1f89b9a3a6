"""Reads every packet of the network, past the kernel's own protocols."""

import socket

from attempt import open_socket


def probe():
    open_socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
    return "a packet socket"
