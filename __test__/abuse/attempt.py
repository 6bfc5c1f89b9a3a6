"""What the probes have in common: calling the kernel, and saying how it went.

A probe is a file with a function `probe()` that tries one thing. If it gets through, it returns what it
got, as text. If it is stopped, it raises: the error of the system that stopped it, or `Stopped`. `Absent`
says that there is nothing here to be got at, protection or not. A probe that may be killed for what it
tries names the signals: `ENDED_BY = (9,)`. Whatever a probe makes, it undoes.
"""

import ctypes
import errno
import os
import platform
import socket


class Stopped(Exception):
    """What was tried did not work."""


class Absent(Exception):
    """What was tried can't work on this machine, whatever the container may do."""


LIBC = ctypes.CDLL(None, use_errno=True)

# name: number on x86-64, number on arm64
NUMBERS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_setup": (425, 425),
    "iopl": (172, None),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "userfaultfd": (323, 282),
}

NO_WAY_IN = (errno.EPERM, errno.EACCES, errno.ENOSYS)


def number_of(name):
    column = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    number = None if column is None else NUMBERS[name][column]
    if number is None:
        raise Absent("no %s on %s" % (name, platform.machine()))
    return number


def checked(result):
    """The result of a function of the C library, or the error it left."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call(name, *args):
    """Makes a system call."""
    words = [arg if not isinstance(arg, int) else ctypes.c_long(arg) for arg in args]
    return checked(LIBC.syscall(ctypes.c_long(number_of(name)), *words))


def reach(name, *args):
    """Makes a call whose arguments make no sense: what counts is whether the kernel looks at them."""
    try:
        call(name, *args)
    except OSError as error:
        if error.errno in NO_WAY_IN:
            raise
        return "%s was let in as far as: %s" % (name, error.strerror)
    return "%s was let in" % name


def opened(what, fd):
    """Closes what could be opened, and says so."""
    os.close(fd)
    return "%s was opened" % what


def status(process="self"):
    """The fields of /proc/self/status, or of another process's."""
    with open("/proc/%s/status" % process) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def first_line(*paths):
    """The first line of the first of these files that is there; of a control group, say."""
    for path in paths:
        try:
            with open(path) as file:
                return file.readline().strip()
        except OSError:
            pass
    raise Absent("none of %s" % ", ".join(paths))


def control_group(hierarchy, *files):
    """The first line of the first of these files in this process's control group, of version 1 or 2."""
    with open("/proc/self/cgroup") as file:
        groups = [line.rstrip("\n").split(":", 2)[1:] for line in file]
    mounts = [("/sys/fs/cgroup/" + names, group) for names, group in groups if hierarchy in names.split(",") or not names]
    # Its group is what it sees as the root, or is somewhere below that.
    folders = filter(is_own, [mount + group for mount, group in mounts] + [mount for mount, _ in mounts])
    return first_line(*(os.path.join(folder, name) for folder in folders for name in files))


def is_own(folder):
    """Whether this process is in that control group."""
    try:
        with open(folder + "/cgroup.procs") as file:
            return str(os.getpid()) in file.read().split()
    except OSError:
        return False


def some(found):
    """What was found, or nothing to report."""
    found = sorted(found)
    if not found:
        raise Stopped("nothing found")
    return ", ".join(found[:8])


def occupied(folders):
    """Those of the folders that can be seen to have something in them."""
    for folder in folders:
        try:
            if os.listdir(folder):
                yield folder
        except OSError:
            pass


def mount_at(folder, kind):
    """Mounts a file system of that kind at a folder made for it, and says so."""
    os.mkdir(folder)
    try:
        checked(LIBC.mount(b"none", folder.encode(), kind.encode(), 0, None))
        checked(LIBC.umount2(folder.encode(), 0))
    finally:
        os.rmdir(folder)
    return "a %s was mounted" % kind


def writable(folders):
    """Those of the folders in which a file can be made."""
    for folder in folders:
        path = os.path.join(folder, "probe")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(path)
            yield folder
        except OSError:
            pass


def canary(whose):
    """What is written where nobody but they are to see it. What this process was given has it not, nor its text."""
    return b"canary-of-%s-%s" % (whose.encode(), bytes.fromhex(os.environ["RUN"]))


def containing(word, paths):
    """Those of the files that can be read and have the word in them."""
    for path in paths:
        try:
            with open(path, "rb") as file:
                if word in file.read(1 << 20):
                    yield path
        except OSError:
            pass


def open_socket(*kind):
    """Opens a socket, and closes it."""
    try:
        socket.socket(*kind).close()
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise Absent("no such sockets here") from error
        raise
