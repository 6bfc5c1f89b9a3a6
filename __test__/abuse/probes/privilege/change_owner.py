"""Gives a file of its own to root."""

import os
import tempfile


def probe():
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        os.chown(file.name, 0, 0)
        os.chown(file.name, 1, 1)
    return "a file was given away"
