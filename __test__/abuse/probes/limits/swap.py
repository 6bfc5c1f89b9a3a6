"""Asks for swap on top of the memory."""

from attempt import Stopped, first_line

CGROUP = "/sys/fs/cgroup"


def probe():
    both = first_line(CGROUP + "/memory/memory.memsw.limit_in_bytes", CGROUP + "/memory.swap.max")
    memory = first_line(CGROUP + "/memory/memory.limit_in_bytes", CGROUP + "/memory.max")
    # The first version of control groups counts both together.
    if both in ("0", memory) and memory != "max" and int(memory) < 1 << 50:
        raise Stopped("memory %s, with swap %s" % (memory, both))
    return "memory %s, with swap %s" % (memory, both)
