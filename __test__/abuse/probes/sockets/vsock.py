"""Speaks to the host of this machine, where it is a virtual one, past the network."""

import socket

from attempt import open_socket


def probe():
    open_socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    return "an AF_VSOCK socket"
