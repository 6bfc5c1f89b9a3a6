"""Sets the name of the host, to what it is."""

import socket


def probe():
    socket.sethostname(socket.gethostname())
    return "the name was set"
