"""Looks for the place of its control groups on the host."""

from attempt import some


def probe():
    with open("/proc/self/cgroup") as file:
        return some({line.rstrip("\n").split(":", 2)[2] for line in file} - {"/"})
