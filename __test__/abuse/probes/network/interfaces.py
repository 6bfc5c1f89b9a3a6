"""Looks for interfaces beside its own loopback."""

import socket

from attempt import some


def probe():
    return some([name for _, name in socket.if_nameindex() if name != "lo"])
