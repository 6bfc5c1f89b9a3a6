"""The site phase of a `python3 -` started ahead of its job.

`supervisor.py` puts this file on the interpreter's path as `sitecustomize`, so it runs when the
interpreter is up and has not yet begun to read its program from stdin. It imports what is to be
warm, waits for the job's environment and arguments on stdin, applies them, takes every trace of
itself away and lets the interpreter go on: what is left in the pipe is the script, which is run by
the interpreter's own main. So nothing about running it is imitated.

The supervisor prepends lines that set ARCHIVE (the descriptor this file is read from), LINE (that of
its line to the supervisor), PRELOAD (imported before the interpreter counts as ready) and IDLE
(imported while it waits; no harm if one is missing).
"""

import atexit
import gc
import os
import sys


def take(size):
    """Exactly that much of stdin, and nothing of the script behind it. EOF: there is no job."""
    data = b""
    while len(data) < size:
        chunk = os.read(0, size - len(data))
        if not chunk:
            os._exit(0)
        data += chunk
    return data


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


def coerced_locale():
    """The value of LC_CTYPE, if it is the interpreter's own doing."""
    with open("/proc/self/environ", "rb") as file:
        if any(entry.startswith(b"LC_CTYPE=") for entry in file.read().split(b"\0")):
            return None
    return os.environ.get("LC_CTYPE")


COERCED = coerced_locale()


def vanish():
    """Leaves the import system and the environment as they would be without this file."""
    path = "/proc/self/fd/%d" % ARCHIVE
    sys.path[:] = [entry for entry in sys.path if entry != path]
    sys.path_importer_cache.pop(path, None)
    zipimport = sys.modules.get("zipimport")
    if zipimport is not None:
        zipimport._zip_directory_cache.pop(path, None)
    rest = os.environ["PYTHONPATH"].partition(":")[2]
    if rest:
        os.environ["PYTHONPATH"] = rest
    else:
        del os.environ["PYTHONPATH"]
    os.close(ARCHIVE)


def warm_up():
    word = b"ready"
    try:
        for name in PRELOAD:
            __import__(name)
    except BaseException as error:
        word = ("%s: %s: %s\n" % (name, type(error).__name__, error)).encode()
    try:
        os.write(LINE, word)
    except BrokenPipeError:
        pass
    os.close(LINE)
    for name in IDLE:
        try:
            __import__(name)
        except ImportError:
            pass
    freeze()


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


def thaw(gc=gc, plain=PLAIN, type=type):
    """Lets the collections at the end reach everything, unless the script left plain values only."""
    for thing in gc.get_objects():
        if type(thing) not in plain:
            gc.unfreeze()
            return


def freeze():
    """Has the collections at the interpreter's end pass over all that stands here already.

    That is half of a small script's time. But what hangs on something frozen is never collected,
    and so never finalized: `thaw`.
    """
    main = sys.modules["__main__"].__dict__
    names = dict(main)
    # The script's globals are not to be frozen. An empty dict is let go by a full collection, and
    # is tracked again with its first entry.
    main.clear()
    gc.collect()
    atexit.register(thaw)
    gc.freeze()
    main.update(names)


def apply_job():
    size, _ = number(take(4), 0)
    meta = take(size)
    env, position = strings(meta, 0)
    args, _ = strings(meta, position)
    for name, value in zip(env[::2], env[1::2]):
        os.environb[name] = value
    if COERCED is not None:
        # Coerced at the start of the interpreter (PEP 538), so it stands behind what was given.
        del os.environ["LC_CTYPE"]
        os.environ["LC_CTYPE"] = COERCED
    sys.argv[1:] = [os.fsdecode(arg) for arg in args]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[2:] = sys.argv[1:]
    if b"TZ" in env[::2]:
        import time

        time.tzset()


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


vanish()
raised = image_sitecustomize()
warm_up()
apply_job()
if raised is not None:
    raise raised
