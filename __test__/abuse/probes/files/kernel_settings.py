"""Opens settings of the kernel for writing. Writes nothing."""

import os

from attempt import some

FILES = """/proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/kernel/modprobe
/proc/sys/vm/drop_caches /proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger
/sys/kernel/mm/transparent_hugepage/enabled /sys/power/state""".split()


def probe():
    found = []
    for path in FILES:
        try:
            os.close(os.open(path, os.O_WRONLY))
            found.append(path)
        except OSError:
            pass
    return some(found)
