"""Loads something into the kernel's own virtual machine: a map of one number."""

import ctypes
import struct

from attempt import call, opened

BPF_MAP_CREATE, ARRAY = 0, 2


def probe():
    attributes = struct.pack("4I", ARRAY, 4, 4, 1)
    return opened("a map", call("bpf", BPF_MAP_CREATE, ctypes.create_string_buffer(attributes, 128), 128))
