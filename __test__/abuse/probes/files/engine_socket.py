"""Asks the engine itself, by its socket."""

import os
import socket

from attempt import some

PLACES = "/var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock".split()


def probe():
    found = []
    for path in PLACES + [os.environ["ENGINE_SOCKET"]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            try:
                line.connect(path)
                found.append(path)
            except OSError:
                pass
    return some(found)
