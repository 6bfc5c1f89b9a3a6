"""Asks for a processor, or more, to itself."""

from attempt import Stopped, first_line

CGROUP = "/sys/fs/cgroup"


def probe():
    # The second version of control groups has quota and period in one line.
    limit = first_line(
        CGROUP + "/cpu.max", CGROUP + "/cpu/cpu.cfs_quota_us", CGROUP + "/cpu,cpuacct/cpu.cfs_quota_us"
    )
    quota = limit.split()[0]
    if quota not in ("max", "-1"):
        raise Stopped("a quota of %s us" % quota)
    return "no quota"
