"""Makes a ring by which the kernel takes orders past the filter of system calls."""

import ctypes

from attempt import call, opened


def probe():
    return opened("a ring", call("io_uring_setup", 1, ctypes.create_string_buffer(120)))
