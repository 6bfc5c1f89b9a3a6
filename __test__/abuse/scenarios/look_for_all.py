"""Looks for what `hold_all.py` holds, and prints what it comes to. WHERE: the address that that told; NAME: what
they are called."""

import ctypes, json, os, signal, socket

libc = ctypes.CDLL(None, use_errno=True)
librt = ctypes.CDLL("librt.so.1", use_errno=True)
ADDRESS = int(os.environ["WHERE"])
NAME = os.environ["NAME"]
SECRET = NAME.encode()
KEY = 0x5EED
READ, PTRACE, KEYCTL = {"x86_64": (310, 101, 250)}.get(os.uname().machine, (270, 117, 219))
ATTACH, DETACH, PEEK = 16, 17, 2
found = set()


def reaches(kind, address):
    try:
        return socket.socket(kind).connect(address) is None
    except OSError:
        return False


def reached(pid):
    """The ways to another process."""
    yield "a process"
    try:
        with open("/proc/%d/mem" % pid, "rb", 0) as memory:
            memory.seek(ADDRESS)
            if memory.read(len(SECRET)) == SECRET:
                yield "memory, as a file"
    except OSError:
        pass
    room = ctypes.create_string_buffer(len(SECRET))
    here = (ctypes.c_size_t * 2)(ctypes.addressof(room), len(SECRET))
    there = (ctypes.c_size_t * 2)(ADDRESS, len(SECRET))
    if libc.syscall(READ, pid, here, 1, there, 1, 0) > 0 and room.raw == SECRET:
        yield "memory, by a call"
    zero = ctypes.c_long(0)
    if libc.syscall(PTRACE, ctypes.c_long(ATTACH), ctypes.c_long(pid), zero, zero) == 0:
        os.waitpid(pid, 0x40000000)
        word = ctypes.c_long(0)
        libc.syscall(PTRACE, ctypes.c_long(PEEK), ctypes.c_long(pid), ctypes.c_long(ADDRESS), ctypes.byref(word))
        libc.syscall(PTRACE, ctypes.c_long(DETACH), ctypes.c_long(pid), zero, zero)
        if word.value.to_bytes(8, "little") == SECRET[:8]:
            yield "memory, by tracing"


# Every number that there may be, whether it is listed or not.
for pid in range(2, 40000):
    if pid == os.getpid():
        continue
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        continue
    except PermissionError:
        pass
    found.update(reached(pid))
for name, path in (("a file", "/tmp/" + NAME), ("a file in shared memory", "/dev/shm/" + NAME)):
    if os.path.exists(path):
        found.add(name)
if reaches(socket.AF_UNIX, "\0" + NAME):
    found.add("an abstract socket")
if reaches(socket.AF_INET, ("127.0.0.1", 7777)):
    found.add("a port")
for name, made in (
    ("a segment", libc.shmget(KEY, 4096, 0)),
    ("a queue", libc.msgget(KEY, 0)),
    ("a semaphore", libc.semget(KEY, 1, 0)),
    ("a named queue", librt.mq_open(b"/" + SECRET, os.O_RDWR)),
    ("a key", libc.syscall(KEYCTL, 10, -4, b"user", SECRET, 0)),
):
    if made != -1:
        found.add(name)
print(json.dumps(sorted(found)))
