"""Sends packets with headers of its own making."""

import socket

from attempt import open_socket


def probe():
    open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    return "a raw socket"
