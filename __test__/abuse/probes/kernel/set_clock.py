"""Sets the clock's speed, to one that is none."""

import ctypes
import struct

from attempt import reach

ADJ_TICK = 0x4000


def probe():
    # `struct timex`, in which the tick is 0.
    return reach("adjtimex", ctypes.create_string_buffer(struct.pack("I", ADJ_TICK), 208))
