"""Writes, lists and reads files below the working directory, by one request.

It runs as a fork of the supervisor (a job of mode `F`), or, beside a job, as `python3 -I -S -c` in
the engine's exec. The request is on stdin. A path is a string of names with `/` between them; each
name is opened from the folder before it, and none of them is followed if it is a link: the scripts
may have planted some, and may do so now. Strings and lists as in `supervisor.py`:

    W, count, then of each piece: path, temporary name, offset (8), size (8), mode (4), and the
       data. Pieces of one file go to a file beside it, which takes its name with the last one
       (mode: what its permissions are to be; ffffffff: more pieces come)
    X, path, temporary name                   takes away what pieces have left
    L, most entries (4), most bytes (4), count, then of each folder: path, depth (4), flags (1)
    R, most bytes (8), flags (1), paths       flag 1: what can't be read is passed over

Answered on stdout, in frames: a byte of kind, two bytes of length, and:

    P  a file: (L) its path, (R) its place in the request (4)
    D  (R) data of that file
    Z  (R) its end, and how many bytes it had (8)
    U  passed over: the place in the request (4), errno by name, NUL, in words, and (L) NUL and its path
    B  (R) passed over, for it is larger than what is left of the most bytes: the place in the request (4)
    E  failed: the place in the request (4), errno by name, NUL, and in words; nothing follows
    M  more than allowed: the place in the request (4), and of what (b: bytes, n: entries, d: depth,
       u: passed over)
    K  done: how many files there were (4)
"""

import posix
import sys
import _signal
from errno import EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, errorcode

# The most that is read at once, and that a frame holds.
CHUNK = (1 << 16) - 1
# The memory that is kept free, by using it, for what comes after a write that was killed.
RESERVE = 2 << 20
# The most that is told of what is passed over.
PASSED_OVER = 1000
MORE_PIECES = 0xFFFFFFFF
FOLDER = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would wait for somebody at its other end.
READ = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
WRITE = posix.O_WRONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC


def take(size):
    data = posix.read(0, size)
    while len(data) < size:
        chunk = posix.read(0, size - len(data))
        if not chunk:
            posix._exit(1)
        data += chunk
    return data


def number(size=4):
    return int.from_bytes(take(size), "little")


def string():
    return take(number())


def little(value, size=4):
    return value.to_bytes(size, "little")


def tell(kind, payload=b""):
    frame = kind + little(len(payload), 2) + payload
    while frame:
        frame = frame[posix.write(1, frame) :]


class Excess(Exception):
    """More than the request allows."""


class Larger(Excess):
    """A file of which nothing has been told."""


def enter(name, at, make):
    try:
        return posix.open(name, FOLDER, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
    try:
        posix.mkdir(name, dir_fd=at)
    except FileExistsError:
        pass
    return posix.open(name, FOLDER, dir_fd=at)


def folder(names, make=False):
    at = posix.open(".", FOLDER)
    for name in names:
        try:
            inner = enter(name, at, make)
        finally:
            posix.close(at)
        at = inner
    return at


def words(error):
    return ("%s\0%s" % (errorcode.get(error.errno, ""), error.strerror)).encode()


def pass_over(kind, payload=b""):
    global passed_over
    passed_over += 1
    if passed_over > PASSED_OVER:
        raise Excess(b"u")
    tell(kind, little(place) + payload)


def miss(error, path):
    """A folder that is not there any more, or has become a link or something else, is nothing to find."""
    if error.errno not in (ENOENT, ENOTDIR, ELOOP):
        pass_over(b"U", words(error) + b"\0" + path)


def kind_of(status):
    return status.st_mode & 0o170000


def write_piece(path, temporary, offset, size, mode):
    *folders, name = path.split(b"/")
    at = folder(folders, make=True)
    try:
        flags = WRITE | (posix.O_APPEND if offset else posix.O_CREAT | posix.O_EXCL)
        file = posix.open(temporary, flags, 0o600, dir_fd=at)
        status = posix.fstat(file)
        if kind_of(status) != 0o100000 or status.st_size != offset:
            raise OSError(EINVAL, "A script has changed it meanwhile")
        reserve = b"x" * min(size, RESERVE)
        while size:
            data = take(min(size, CHUNK))
            size -= len(data)
            while data:
                data = data[posix.write(file, data) :]
        if mode != MORE_PIECES:
            posix.fchmod(file, mode)
            posix.rename(temporary, name, src_dir_fd=at, dst_dir_fd=at)
        posix.close(file)
        del reserve
    except OSError:
        discard(at, temporary)
        raise
    posix.close(at)


def discard(at, temporary):
    try:
        posix.unlink(temporary, dir_fd=at)
    except OSError:
        pass


def write_pieces():
    global place
    count = number()
    for place in range(count):
        write_piece(string(), string(), number(8), number(8), number())
    return count


def take_away():
    *folders, _ = string().split(b"/")
    discard(folder(folders), string())
    return 0


def list_folders():
    global place
    entries, room = number(), number()
    found = 0

    def look(at, path, depth, device):
        nonlocal entries, room, found
        inner = []
        with posix.scandir(at) as names:
            for entry in names:
                entries -= 1
                if entries < 0:
                    raise Excess(b"n")
                name = entry.name.encode(sys.getfilesystemencoding(), "surrogateescape")
                if name.startswith(b".") and not hidden:
                    continue
                if entry.is_file(follow_symlinks=False):
                    room -= len(path) + len(name)
                    if room < 0 or len(path) + len(name) > CHUNK:
                        raise Excess(b"b")
                    tell(b"P", path + name)
                    found += 1
                elif entry.is_dir(follow_symlinks=False):
                    inner.append(name)
        if depth == 1:
            if inner and deep:
                raise Excess(b"d")
            return
        for name in inner:
            try:
                below = posix.open(name, FOLDER, dir_fd=at)
            except OSError as error:
                miss(error, path + name)
                continue
            # Other file systems stay out: below `/` there is more than files.
            if posix.fstat(below).st_dev == device:
                look(below, path + name + b"/", depth - 1, device)
            posix.close(below)

    for place in range(number()):
        path, depth, flags = string(), number(), number(1)
        hidden, deep = flags & 1, flags & 2
        try:
            at = folder(path.split(b"/") if path else [])
        except OSError as error:
            miss(error, path)
            continue
        look(at, path + b"/" if path else b"", depth, posix.fstat(at).st_dev)
        posix.close(at)
    return found


def read_file(path, room):
    *folders, name = path.split(b"/")
    at = folder(folders)
    try:
        file = posix.open(name, READ, dir_fd=at)
    finally:
        posix.close(at)
    status = posix.fstat(file)
    kind = kind_of(status)
    if kind != 0o100000:
        code = EISDIR if kind == 0o040000 else ENXIO
        raise OSError(code, posix.strerror(code))
    if status.st_size > room:
        raise Larger(b"b")
    tell(b"P", little(place))
    total = 0
    while True:
        # It may grow under this.
        data = posix.read(file, CHUNK)
        if not data:
            break
        total += len(data)
        if total > room:
            raise Excess(b"b")
        tell(b"D", data)
    posix.close(file)
    tell(b"Z", little(total, 8))
    return total


def read_files():
    global place
    room, lenient = number(8), number(1)
    found = 0
    for place in range(number()):
        try:
            room -= read_file(string(), room)
            found += 1
        except OSError as error:
            if not lenient:
                raise
            pass_over(b"U", words(error))
        except Larger:
            if not lenient:
                raise
            pass_over(b"B")
    return found


# Beyond the largest file it may write it is to get an error, not the signal.
_signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)
place = 0
passed_over = 0
work = {b"W": write_pieces, b"X": take_away, b"L": list_folders, b"R": read_files}[take(1)]
try:
    tell(b"K", little(work()))
except OSError as error:
    tell(b"E", little(place) + words(error))
except Excess as excess:
    tell(b"M", little(place) + excess.args[0])
posix._exit(0)
