"""Opens the namespaces of the first process."""

import os

from attempt import some


def probe():
    found = []
    for name in os.listdir("/proc/1/ns"):
        try:
            os.close(os.open("/proc/1/ns/" + name, os.O_RDONLY))
            found.append(name)
        except OSError:
            pass
    return some(found)
