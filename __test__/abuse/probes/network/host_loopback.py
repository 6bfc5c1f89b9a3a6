"""Connects to a service that listens on the host's loopback alone."""

import os
import socket


def probe():
    with socket.create_connection(("127.0.0.1", int(os.environ["LISTENER_PORT"])), 5) as line:
        return "the host's service said %s" % line.recv(16).decode()
