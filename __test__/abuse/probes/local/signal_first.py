"""Sends the first process a signal: none of any meaning."""

import os


def probe():
    os.kill(1, 0)
    return "a signal was sent"
