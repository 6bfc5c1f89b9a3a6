"""Asks whether programs may gain privileges when they are started."""

from attempt import Stopped, status


def probe():
    if status()["NoNewPrivs"] == "1":
        raise Stopped("NoNewPrivs is 1")
    return "NoNewPrivs is 0"
