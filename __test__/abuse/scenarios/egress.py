# What scripts say to the proxy on their loopback.

import json
import os
import socket
import ssl
import threading
import time

CANARY = b"canary-of-a-host"
PROXY = ("127.0.0.1", 3128)
env = os.environ


def dial(patience=60):
    return socket.create_connection(PROXY, patience)


def tunnel(to, patience=60):
    """A tunnel, or, where it was refused, what is no longer one."""
    stream = dial(patience)
    stream.sendall(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % ((to.encode(),) * 2))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = stream.recv(1)
        if not piece:
            break
        head += piece
    return stream


def sealed(to, protocols=()):
    """TLS in a tunnel, as a client speaks it that trusts whom its variables say."""
    trust = ssl.create_default_context()
    trust.set_alpn_protocols(list(protocols))
    return trust.wrap_socket(tunnel(to), server_hostname=to.split(":")[0])


def hello(name):
    """The beginning of TLS that is meant for a name."""
    said = ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname=name)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return said.read()


def say(stream, data):
    """All that comes for these bytes."""
    said = b""
    try:
        stream.sendall(data)
        while True:
            piece = stream.recv(65536)
            if not piece:
                return said
            said += piece
            if CANARY in said:
                return said
    except OSError:
        return said
    finally:
        stream.close()


def fill(stream, begin):
    """How many bytes go, of 64 MiB, while nothing that comes is taken."""
    stream.settimeout(3)
    sent = 0
    try:
        stream.sendall(begin)
        while sent < 64 << 20:
            sent += stream.send(bytes(1 << 16))
    except OSError:
        pass
    return sent


def tell(*answers):
    print("through" if any(CANARY in answer for answer in answers) else "stopped")
