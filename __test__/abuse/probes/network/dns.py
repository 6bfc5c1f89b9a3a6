"""Looks for a way to a name server that it knows of."""

import socket

from attempt import Absent


def probe():
    with open("/etc/resolv.conf") as file:
        servers = [line.split()[1] for line in file if line.startswith("nameserver")]
    servers = [server for server in servers if ":" not in server]
    if not servers:
        raise Absent("no name server is named")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((servers[0], 53))
        return "a way to %s" % servers[0]
