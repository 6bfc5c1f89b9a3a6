"""Looks everywhere for a folder to write in, beside those meant for it."""

import os

from attempt import some

MEANT = ("/tmp", "/dev/shm", "/dev/mqueue", "/proc")


def probe():
    found = []
    for folder, folders, _ in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in MEANT]
        path = os.path.join(folder, "probe")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(path)
            found.append(folder)
        except OSError:
            pass
    return some(found)
