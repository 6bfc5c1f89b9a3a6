"""Goes where the first process is: by its root and its folder."""

import os

from attempt import some


def probe():
    found = []
    for name in ("root", "cwd"):
        try:
            os.listdir("/proc/1/" + name)
            found.append(name)
        except OSError:
            pass
    return some(found)
