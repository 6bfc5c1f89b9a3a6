"""Counts events of the processor, of its own."""

import ctypes
import struct

from attempt import call, opened

SOFTWARE, SIZE, CPU_CLOCK = 1, 112, 0


def probe():
    attributes = struct.pack("IIQ", SOFTWARE, SIZE, CPU_CLOCK)
    buffer = ctypes.create_string_buffer(attributes, SIZE)
    return opened("a counter", call("perf_event_open", buffer, 0, -1, -1, 0))
