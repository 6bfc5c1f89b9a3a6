"""Looks for a way to a name server: one it is told of, or any (192.0.2.53 is nobody's: RFC 5737)."""

import socket


def servers():
    try:
        with open("/etc/resolv.conf") as file:
            found = [line.split()[1] for line in file if line.startswith("nameserver")]
    except FileNotFoundError:
        found = []
    return [server for server in found if ":" not in server] or ["192.0.2.53"]


def probe():
    server = servers()[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((server, 53))
        return "a way to %s" % server
