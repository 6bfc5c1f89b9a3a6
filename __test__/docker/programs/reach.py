"""Prints what answers at each of the addresses that it is given, as JSON; null: nothing does."""

import concurrent.futures
import json
import socket
import sys


def said_by(address):
    try:
        with socket.create_connection((address, 8000), 3) as line:
            return line.recv(100).decode()
    except OSError:
        return None


# Side by side: where a firewall drops what is sent, each takes its three seconds.
with concurrent.futures.ThreadPoolExecutor() as threads:
    print(json.dumps(list(threads.map(said_by, sys.argv[1:]))))
