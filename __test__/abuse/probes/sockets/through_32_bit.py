"""Opens an AF_VSOCK socket by the calls of a 32-bit program, whose arguments no filter sees.

A 64-bit process may make them as well: interrupt 0x80, with `socketcall` (102).
"""

import ctypes
import mmap
import os
import platform
import struct

from attempt import LIBC, Absent

MAP_32BIT, SOCKETCALL, SOCKET, AF_VSOCK, SOCK_STREAM = 0x40, 102, 1, 40, 1
# SIGSYS: by the filter. SIGSEGV: the kernel was built without such programs.
ENDED_BY = (31, 11)


def probe():
    if platform.machine() != "x86_64":
        raise Absent("not an x86-64")
    LIBC.mmap.restype = ctypes.c_void_p
    size = mmap.PAGESIZE
    protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT
    page = LIBC.mmap(None, ctypes.c_size_t(size), protection, flags, -1, ctypes.c_long(0))
    arguments = page + 256
    code = b"\x53"  # push rbx
    code += b"\xb8" + struct.pack("<I", SOCKETCALL)  # mov eax, ...
    code += b"\xbb" + struct.pack("<I", SOCKET)  # mov ebx, ...
    code += b"\xb9" + struct.pack("<I", arguments)  # mov ecx, ...
    code += b"\xcd\x80\x5b\xc3"  # int 0x80; pop rbx; ret
    ctypes.memmove(page, code, len(code))
    ctypes.memmove(arguments, struct.pack("<3I", AF_VSOCK, SOCK_STREAM, 0), 12)
    result = ctypes.CFUNCTYPE(ctypes.c_int)(page)()
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    os.close(result)
    return "an AF_VSOCK socket"
