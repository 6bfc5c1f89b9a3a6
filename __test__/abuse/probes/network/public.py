"""Looks for a way to the internet (203.0.113.1 is nobody's: RFC 5737)."""

import socket


def probe():
    # UDP connects without a packet being sent: the kernel only looks for a way there.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("203.0.113.1", 80))
        return "a way there from %s" % sender.getsockname()[0]
