"""Reads another process's memory: that of a child of its own."""

import ctypes
import os
import signal
import struct

from attempt import call


def probe():
    secret = ctypes.create_string_buffer(b"secret", 8)
    child = os.fork()
    if child == 0:
        signal.pause()
    copy = ctypes.create_string_buffer(8)
    here = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(copy), 8))
    there = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(secret), 8))
    try:
        call("process_vm_readv", child, here, 1, there, 1, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return "read: %s" % copy.value.decode()
