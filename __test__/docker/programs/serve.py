"""Tells whoever connects to port 8000 the name that it was given."""

import socket
import sys

listener = socket.create_server(("", 8000))
while True:
    line, _ = listener.accept()
    with line:
        line.sendall(sys.argv[1].encode())
