"""Watches a folder, as file watchers do, by the C library."""
import ctypes
import os
import struct
import tempfile

IN_CREATE = 0x100
libc = ctypes.CDLL(None, use_errno=True)
with tempfile.TemporaryDirectory() as folder:
    watcher = libc.inotify_init1(0)
    assert libc.inotify_add_watch(watcher, folder.encode(), IN_CREATE) > 0
    open(folder + "/new", "w").close()
    event = os.read(watcher, 4096)
    print(struct.unpack_from("iIII", event)[1] == IN_CREATE, event[16:].rstrip(b"\0"))
