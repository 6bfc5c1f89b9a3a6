"""Begins a session with a key in its keyring, and becomes the program that it is called with."""

import ctypes
import os
import platform
import sys

KEYCTL, ADD_KEY = {"x86_64": (250, 248), "aarch64": (219, 217)}[platform.machine()]
JOIN, SESSION = 1, -3

libc = ctypes.CDLL(None)
# Where the kernel has no keys there is none to be found.
libc.syscall(KEYCTL, JOIN, None)
libc.syscall(ADD_KEY, b"user", b"scientist-pool-abuse", b"secret", 6, SESSION)
os.execv(sys.argv[1], sys.argv[1:])
