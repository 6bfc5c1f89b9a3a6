"""Asks for dumps of its memory, which the host would keep."""

import resource

from attempt import Stopped


def probe():
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    if most == 0:
        raise Stopped("none are made")
    return "dumps of %d bytes" % most
