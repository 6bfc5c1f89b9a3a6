"""Asks for a processor, or more, to itself."""

from attempt import Stopped, control_group


def probe():
    # The second version of control groups has quota and period in one line.
    quota = control_group("cpu", "cpu.max", "cpu.cfs_quota_us").split()[0]
    if quota not in ("max", "-1"):
        raise Stopped("a quota of %s us" % quota)
    return "no quota"
