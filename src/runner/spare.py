"""The site phase of a `python3 -` started ahead of its job.

`supervisor.py` puts this file on the interpreter's path as `sitecustomize`, so it runs when the
interpreter is up and has not yet begun to read its program from stdin. It imports what is to be
warm, waits for the job's environment and arguments on stdin, applies them, takes every trace of
itself away and lets the interpreter go on: what is left in the pipe is the script, which is run by
the interpreter's own main. So nothing about running it is imitated. Where something has come to a
place that an interpreter looks into as it starts, it is started again instead.

This file says how; `park.py`, which stands behind it, does it. The supervisor prepends lines that set
ARCHIVE (the descriptor this file is read from), LINE (that of its line to the supervisor), TOLD (that by which
a job's interpreter tells, `tell.py`), AHEAD (whether
no job waits for it yet), PYTHONPATH (the container's own; None: it has none), PRELOAD (imported before the
interpreter counts as ready) and IDLE (imported while it waits; no harm if one is missing).
"""

import _io
import _signal
import _weakref
import atexit
import gc
import os
import sys

STDIN, STDOUT, STDERR = 0, 1, 2
CHUNK = 1 << 16


def take(size):
    """Exactly that much of stdin, and nothing of the script behind it. EOF: there is no job."""
    data = bytearray()
    while len(data) < size:
        chunk = os.read(STDIN, min(size - len(data), CHUNK))
        if not chunk:
            os._exit(0)
        data += chunk
    return bytes(data)


def number(data, position):
    return int.from_bytes(data[position : position + 4], "little"), position + 4


def strings(data, position):
    count, position = number(data, position)
    items = []
    for _ in range(count):
        size, position = number(data, position)
        items.append(data[position : position + size])
        position += size
    return items, position


def first_environment():
    """The environment this process was started with."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


EXECUTABLE = sys.executable
ENVIRONMENT = first_environment()
# The value of LC_CTYPE, if it is the interpreter's own doing (PEP 538).
COERCED = None if b"LC_CTYPE" in ENVIRONMENT else os.environ.get("LC_CTYPE")


def vanish():
    """Leaves the import system and the environment as they would be without this file."""
    path = "/proc/self/fd/%d" % ARCHIVE
    sys.path[:] = [entry for entry in sys.path if entry != path]
    sys.path_importer_cache.pop(path, None)
    zipimport = sys.modules.get("zipimport")
    if zipimport is not None:
        zipimport._zip_directory_cache.pop(path, None)
    if PYTHONPATH is None:
        del os.environ["PYTHONPATH"], ENVIRONMENT[b"PYTHONPATH"]
    else:
        os.environb[b"PYTHONPATH"] = ENVIRONMENT[b"PYTHONPATH"] = PYTHONPATH
    os.close(ARCHIVE)
    if TOLD is not None:
        os.set_inheritable(TOLD, False)


def look():
    """When each place last changed that an interpreter looks into as it starts; None: there is none."""
    site = sys.modules["site"]
    places = sys.path + site.getsitepackages()
    if site.ENABLE_USER_SITE:
        places.append(site.getusersitepackages())
    times = []
    for place in places:
        try:
            status = os.stat(place)
            times.append((place, status.st_mtime_ns, status.st_ctime_ns))
        except OSError:
            times.append((place, None, None))
    return times


def look_again():
    """Finds what has come to there. An interpreter that tells has a line that another one could not have."""
    site = sys.modules["site"]
    known = site.removeduppaths()
    if site.ENABLE_USER_SITE:
        site.addusersitepackages(known)
    site.addsitepackages(known)
    sys.path_importer_cache.clear()


def set_aside():
    """Has what is printed from here on in no script's output; `put_back` takes what this gives.

    Of one started ahead the supervisor throws it away, but for the last words of one that dies. Of one
    started for a script that waits already, the output is the script's from the beginning. Not a class:
    a script could find that.
    """
    kept = [] if AHEAD else [(os.dup(fd), fd) for fd in (STDOUT, STDERR)]
    silence(fd for _, fd in kept)
    return kept


def silence(fds):
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for fd in fds:
        os.dup2(nowhere, fd)
    os.close(nowhere)


def put_back(kept):
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except Exception:
            pass
    try:
        import ctypes

        # What was written by way of the C library.
        ctypes.CDLL(None).fflush(None)
    except (ImportError, OSError, AttributeError):
        pass
    for copy, fd in kept:
        os.dup2(copy, fd)
        os.close(copy)


def preload():
    """Gives the word for whoever waits."""
    word = b"ready"
    if PRELOAD:
        kept, known = set_aside(), set(sys.modules)
        try:
            for name in PRELOAD:
                __import__(name)
        except BaseException as error:
            word = ("%s: %s: %s\n" % (name, type(error).__name__, error)).encode()
        OUTLIVING.extend(sys.modules.keys() - known)
        put_back(kept)
    return word


def import_idle():
    for name in IDLE:
        try:
            __import__(name)
        except ImportError:
            pass


def warm_up():
    """Gives what `look` saw while the container had run nothing."""
    word = preload()
    seen = look()
    try:
        os.write(LINE, word)
    except BrokenPipeError:
        pass
    os.close(LINE)
    import_idle()
    freeze()
    return seen


# The names of the modules that are preloaded. The interpreter does not take them apart: with those of pandas that takes
# it longer than most scripts take in all.
OUTLIVING = []
# What outlives the interpreter: a frozen list that nothing but itself holds is never let go.
LASTING = []
LASTING.append(LASTING)
# References to the files that were open before the script began: weak ones, as a file may write as it is let go.
FILES = []
# What holds nothing whose end a script could see: no __del__, no callback, no open file, no
# suspended generator.
PLAIN = frozenset(
    (
        dict,
        list,
        tuple,
        set,
        frozenset,
        type(take),
        type(take.__get__(0)),
        type(print),
        type(sys),
        type((lambda x: lambda: x)(0).__closure__[0]),
    )
)


def end(
    gc=gc,
    modules=sys.modules,
    file=_io._IOBase,
    outliving=OUTLIVING,
    lasting=LASTING,
    files=FILES,
    plain=PLAIN,
    type=type,
    issubclass=issubclass,
    Exception=Exception,
):
    """What is to be done by the interpreter's end so that it takes apart no more than it has to, which is most of a
    small script's time. Its names are its own: a script may have changed all others.

    Where a script left plain values only, no module is taken apart, nor looked through for what is to be collected.
    Else those that are preloaded are not: what hangs on them is never finalized, but files have what was written
    to them. Where there are none, the collections reach everything.
    """
    left, files = gc.get_objects(), [referred() for referred in files]
    for thing in left:
        if type(thing) not in plain:
            if not outliving:
                gc.unfreeze()
                return
            names = outliving
            files += [thing for thing in left if issubclass(type(thing), file)]
            break
    else:
        names = [name for name in modules if name not in ("__main__", "sys", "builtins")]
    lasting.extend([modules.pop(name, None) for name in names])
    for thing in files:
        try:
            thing.flush()
        except Exception:
            pass


# The first to be registered is called last.
atexit.register(end)


def freeze():
    """Has the collections at the interpreter's end pass over all that stands here already: see `end`."""
    main = sys.modules["__main__"].__dict__
    names = dict(main)
    # The script's globals are not to be frozen. An empty dict is let go by a full collection, and
    # is tracked again with its first entry.
    main.clear()
    gc.collect()
    files = [thing for thing in gc.get_objects() if issubclass(type(thing), _io._IOBase)]
    FILES.extend(map(_weakref.ref, files))
    gc.freeze()
    main.update(names)


def start_again(env, args):
    """Becomes the `python3 -` that starts at this moment; its script is in the pipe."""
    # Python ignores these two, and what it becomes would inherit that.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execve(EXECUTABLE, [b"python3", b"-"] + args, env)
    except OSError:
        # More than a program can be started with: only one that runs can have it.
        for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
            _signal.signal(number, _signal.SIG_IGN)


def apply_job(seen):
    size, _ = number(take(4), 0)
    meta = take(size)
    env, position = strings(meta, 0)
    args, position = strings(meta, position)
    telling = meta[position:]
    if look() != seen:
        if telling:
            look_again()
        else:
            start_again({**ENVIRONMENT, **dict(zip(env[::2], env[1::2]))}, args)
    for name, value in zip(env[::2], env[1::2]):
        os.environb[name] = value
    if COERCED is not None:
        # Coerced at the start of the interpreter, so it stands behind what was given.
        del os.environ["LC_CTYPE"]
        os.environ["LC_CTYPE"] = COERCED
    sys.argv[1:] = [os.fsdecode(arg) for arg in args]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[2:] = sys.argv[1:]
    if b"TZ" in env[::2]:
        import time

        time.tzset()
    if telling:
        exec(compile(telling, "<tell>", "exec"), {"TOLD": TOLD, "take": take})
    else:
        os.close(TOLD)


def image_sitecustomize():
    """Runs the image's own `sitecustomize`, whose place this file has taken.

    Returns what it raised, to be raised again when the job has come. Where there is none, that is
    the ImportError by which `site` knows the usual case, and a module that raises does not stay in
    `sys.modules`.
    """
    del sys.modules["sitecustomize"]
    try:
        import sitecustomize
    except BaseException as error:
        return error
