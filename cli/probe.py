# scientist-pool doctor: run in a container, prints as JSON what the kernel says of its bounds.
import json
import os
import socket
import sys


def read(*paths):
    """The first of these files that there is, split at white space; else None."""
    for path in paths:
        try:
            with open("/sys/fs/cgroup/" + path) as file:
                return file.read().split()
        except OSError:
            pass
    return None


def number(words, at=0):
    """A limit of a control group; None where it is not known or there is none."""
    if words is None or words[at] in ("max", "-1"):
        return None
    value = int(words[at])
    # What version 1 shows for "no limit" is near 2**63.
    return value if value < 1 << 60 else None


with open("/proc/self/status") as file:
    lines = (line.partition(":") for line in file)
    status = {name: value.strip() for name, _, value in lines}



def no_new_privileges():
    """As /proc tells it; a kernel that does not (gVisor's) is asked: prctl.h, PR_GET_NO_NEW_PRIVS."""
    told = status.get("NoNewPrivs")
    if told is not None:
        return told == "1"
    import ctypes

    return ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) == 1


def read_only_root():
    """As the kernel tells it of the file system; gVisor's tells it in /proc alone."""
    if os.statvfs("/").f_flag & os.ST_RDONLY:
        return True
    with open("/proc/mounts") as file:
        mounts = [line.split() for line in file]
    return [at[3].split(",")[0] for at in mounts if at[1] == "/"][-1:] == ["ro"]


# Version 2 has quota and period in one file.
cpu = read("cpu.max")
quota = number(cpu or read("cpu/cpu.cfs_quota_us"))
period = number(cpu, 1) if cpu else number(read("cpu/cpu.cfs_period_us"))
print(
    json.dumps(
        {
            "python": sys.version.split()[0],
            "uid": os.getuid(),
            "capabilities": int(status["CapEff"], 16),
            "noNewPrivileges": no_new_privileges(),
            "seccomp": status.get("Seccomp") == "2",
            "readonlyRootfs": read_only_root(),
            "interfaces": [name for _, name in socket.if_nameindex() if name != "lo"],
            "memory": number(read("memory.max", "memory/memory.limit_in_bytes")),
            "pids": number(read("pids.max", "pids/pids.max")),
            "cpu": quota / period if quota and period else None,
        }
    )
)
