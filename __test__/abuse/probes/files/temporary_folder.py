"""Looks for a /tmp without a size, with setuid programs or with devices."""

import os

from attempt import some


def probe():
    place = os.statvfs("/tmp")
    size = place.f_blocks * place.f_frsize
    found = []
    if size > 64 << 20:
        found.append("%d MiB" % (size >> 20))
    for name, flag in (("setuid", os.ST_NOSUID), ("devices", os.ST_NODEV)):
        if not place.f_flag & flag:
            found.append(name)
    return some(found)
