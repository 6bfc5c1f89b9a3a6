"""Gives itself more of the processor than others have."""

import os
import resource

# `asm-generic/resource.h`
NICE, REALTIME = 13, 14


def raise_limits():
    for limit in (NICE, REALTIME):
        try:
            _, most = resource.getrlimit(limit)
            resource.setrlimit(limit, (most, most))
        except (OSError, ValueError):
            # Not every kernel has it; the priority is tried all the same.
            pass


def probe():
    raise_limits()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return "before all others"
    except OSError:
        return "niceness %d" % os.nice(-1)
