"""Asks for the name of the machine."""

import os
import socket

from attempt import Stopped


def probe():
    name = socket.gethostname()
    if name != os.environ["HOST_NAME"]:
        raise Stopped("the name is %s" % name)
    return name
