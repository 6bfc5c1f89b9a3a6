"""Sets what the first process may have: its limits, its processors, its turn, its place when memory runs out."""

import os
import resource

from attempt import some, status

FIRST = 1


def limits():
    resource.prlimit(FIRST, resource.RLIMIT_CORE, resource.prlimit(FIRST, resource.RLIMIT_CORE))


def processors():
    os.sched_setaffinity(FIRST, os.sched_getaffinity(FIRST))


def scheduler():
    os.sched_setscheduler(FIRST, os.sched_getscheduler(FIRST), os.sched_getparam(FIRST))


def parameters():
    os.sched_setparam(FIRST, os.sched_getparam(FIRST))


def priority():
    os.setpriority(os.PRIO_PROCESS, FIRST, os.getpriority(os.PRIO_PROCESS, FIRST))


def priority_of_group():
    os.setpriority(os.PRIO_PGRP, FIRST, os.getpriority(os.PRIO_PGRP, FIRST))


def priority_of_user():
    # Of all that the user has; whether the first process is among it is for the kernel's own word.
    if status(FIRST)["Uid"].split()[0] != str(os.getuid()):
        raise PermissionError("the first process is another user")
    os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_USER, 0))


def memory():
    with open("/proc/1/oom_score_adj", "r+") as file:
        file.write(file.read())


LEVERS = (limits, processors, scheduler, parameters, priority, priority_of_group, priority_of_user, memory)


def probe():
    found = []
    for lever in LEVERS:
        try:
            lever()
            found.append(lever.__name__)
        except OSError:
            pass
    return some(found)
