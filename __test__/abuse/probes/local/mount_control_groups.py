"""Mounts its control groups, and opens its limit of memory to raise it."""

import os

from attempt import LIBC, checked, some

KINDS = ((b"cgroup", b"memory", "memory.limit_in_bytes"), (b"cgroup2", None, "memory.max"))


def probe():
    found = []
    os.mkdir("/dev/shm/groups")
    for kind, hierarchy, limit in KINDS:
        try:
            checked(LIBC.mount(b"none", b"/dev/shm/groups", kind, 0, hierarchy))
        except OSError:
            continue
        try:
            os.close(os.open("/dev/shm/groups/" + limit, os.O_WRONLY))
            found.append(limit)
        except OSError:
            pass
        checked(LIBC.umount2(b"/dev/shm/groups", 0))
    os.rmdir("/dev/shm/groups")
    return some(found)
