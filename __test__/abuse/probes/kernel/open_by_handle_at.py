"""Opens a file by its handle, past the folders above it (as "shocker" did). The handle is none."""

import ctypes
import os
import struct

from attempt import reach


def probe():
    handle = ctypes.create_string_buffer(struct.pack("Ii8x", 8, 1), 16)
    fd = os.open("/dev/shm", os.O_RDONLY)
    return reach("open_by_handle_at", fd, handle, os.O_RDONLY)
