"""Looks for what of the machine's files is not for everybody: where `/usr` is shown, nothing else is to be."""

import os

from attempt import occupied, some

FOLDERS = "/boot /home /media /mnt /opt /root /run /srv /sys /var".split()
FILES = "/etc/shadow /etc/passwd /etc/hostname /etc/machine-id /etc/ssl/private".split()


def probe():
    found = [path for path in FILES if os.path.exists(path)]
    return some([*found, *occupied(FOLDERS)])
