"""Asks for swap on top of the memory."""

from attempt import Stopped, control_group


def probe():
    both = control_group("memory", "memory.memsw.limit_in_bytes", "memory.swap.max")
    memory = control_group("memory", "memory.limit_in_bytes", "memory.max")
    # The first version of control groups counts both together.
    if both in ("0", memory) and memory != "max" and int(memory) < 1 << 50:
        raise Stopped("memory %s, with swap %s" % (memory, both))
    return "memory %s, with swap %s" % (memory, both)
