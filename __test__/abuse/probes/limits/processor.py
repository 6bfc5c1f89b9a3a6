"""Keeps the processor busy, and looks whether it is ever made to wait."""

import time

from attempt import Absent, Stopped

FILES = ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat"]


def throttled():
    for path in FILES:
        try:
            with open(path) as file:
                fields = dict(line.split() for line in file)
            if "nr_throttled" in fields:
                return int(fields["nr_throttled"])
        except OSError:
            pass
    raise Absent("no statistics of the processor")


def probe():
    before = throttled()
    while time.process_time() < 0.6:
        if throttled() > before:
            raise Stopped("made to wait")
    return "0.6 s of it without a break"
