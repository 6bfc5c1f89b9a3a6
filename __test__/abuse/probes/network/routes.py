"""Looks for routes: the host as a gateway is one."""

from attempt import some


def probe():
    with open("/proc/net/route") as file:
        return some([line.split()[0] for line in list(file)[1:]])
