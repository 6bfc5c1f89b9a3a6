"""Looks for a way to the service by which clouds hand out credentials."""

import socket


def probe():
    # UDP connects without a packet being sent: the kernel only looks for a way there.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("169.254.169.254", 80))
        return "a way there from %s" % sender.getsockname()[0]
