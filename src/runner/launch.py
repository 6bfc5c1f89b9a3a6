"""The beginning of PID 1: starts processes, and the first of them at once.

`boot.py` runs this before it compiles `supervisor.py`, in the same namespace: what is defined here
is there. An interpreter takes its time to come up, so one is started first (`Spare`), and the
supervisor is made ready meanwhile. `posix` is the part of `os` that is built in: importing the rest
would cost every container more than all that is done here.
"""

import posix
import select
import sys
import _signal as signal

STDIN, STDOUT, STDERR = 0, 1, 2
# The most that is read of a pipe at once.
CHUNK = 1 << 16
# Python ignores these two; what it starts would inherit that.
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def little(number, size):
    return number.to_bytes(size, "little")


class Fields:
    """Reads the strings and lists of a payload."""

    def __init__(self, payload):
        self.payload = payload
        self.position = 0

    def take(self, size):
        start = self.position
        self.position += size
        return self.payload[start : self.position]

    def number(self):
        return int.from_bytes(self.take(4), "little")

    def string(self):
        return self.take(self.number())

    def list(self):
        return [self.string() for _ in range(self.number())]

    def rest(self):
        return self.payload[self.position :]


def archive(name, data):
    """A zip file with one stored member. `zipimport` reads no checksum and no time of a member."""
    member = (
        little(20, 2) + bytes(12) + little(len(data), 4) * 2 + little(len(name), 2) + bytes(2)
    )
    local = b"PK\3\4" + member + name + data
    central = b"PK\1\2" + little(20, 2) + member + bytes(14) + name
    counts = bytes(4) + little(1, 2) * 2
    end = b"PK\5\6" + counts + little(len(central), 4) + little(len(local), 4) + bytes(2)
    return local + central + end


def write(fd, data):
    while data:
        data = data[posix.write(fd, data) :]


def initial_environment():
    """The container's environment. Python's own has been through locale coercion (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


class OomScore:
    """What the kernel adds to this process's memory when it looks for one to kill.

    A child inherits it. The file is opened ahead: `shield` takes away the right to open it, also for
    a child that has not become another program yet.
    """

    def __init__(self):
        self.own = b"0"
        self.file = None
        try:
            self.file = posix.open("/proc/self/oom_score_adj", posix.O_RDWR | posix.O_CLOEXEC)
            self.own = posix.read(self.file, 16)
        except OSError:
            pass

    def set(self, score):
        if self.file is not None:
            try:
                posix.write(self.file, score)
            except OSError:
                pass


oom_score = OomScore()


def execute(argv, env):
    """Becomes that program, looked for in `env`'s PATH."""
    import os

    os.execvpe(argv[0], argv, env)


class Child:
    """A process that has pipes of its own as standard streams; the other ends of them are here.

    It is started as an engine's exec would start it: in a session of its own, with default signals.
    Of this process's descriptors it gets those that are `inherited` alone, and so never this
    process's own streams.
    """

    def __init__(self, argv, env, cwd=b"", inherited=(), become=execute):
        theirs, ours = [], []
        try:
            for number in (STDIN, STDOUT, STDERR):
                reading, writing = posix.pipe()
                theirs.append(writing if number else reading)
                ours.append(reading if number else writing)
                posix.set_blocking(ours[-1], False)
            self.pid = self.start(argv, env, cwd, theirs, ours, inherited, become)
        except BaseException:
            for fd in ours:
                posix.close(fd)
            raise
        finally:
            for fd in theirs:
                posix.close(fd)
        self.stdin, self.stdout, self.stderr = ours

    @staticmethod
    def start(argv, env, cwd, theirs, ours, inherited, become):
        # A script that fills the memory must go before this process does.
        oom_score.set(b"1000")
        pid = None
        try:
            pid = posix.fork()
        finally:
            if pid != 0:
                oom_score.set(oom_score.own)
        if pid:
            return pid
        status = 127
        try:
            posix.setsid()
            for number, fd in enumerate(theirs):
                posix.dup2(fd, number)
            for fd in ours:
                # What does not become another program would keep its own stdin open.
                posix.close(fd)
            for fd in inherited:
                posix.set_inheritable(fd, True)
            for number in IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            if cwd:
                status = 126
                posix.chdir(cwd)
                status = 127
            become(argv, env)
        except OSError as error:
            if isinstance(error, PermissionError):
                status = 126
            failed = cwd if status == 126 and error.filename == cwd else argv[0]
            write(STDERR, failed + b": " + error.strerror.encode() + b"\n")
        finally:
            posix._exit(status)


class Spare(Child):
    """A `python3 -` parked in its site phase (`spare.py`) until its job comes, if it is started `ahead`."""

    def __init__(self, environment, source, ahead):
        opened = []
        try:
            memory = posix.memfd_create("spare")
            opened.append(memory)
            self.line, line = posix.pipe()
            opened += self.line, line
            self.told, told = posix.pipe()
            opened += self.told, told
            posix.set_blocking(self.told, False)
            paths = environment.get(b"PYTHONPATH")
            settings = memory, line, told, ahead, paths
            settings = b"ARCHIVE, LINE, TOLD, AHEAD, PYTHONPATH = %d, %d, %d, %a, %a\n" % settings
            write(memory, archive(b"sitecustomize.py", settings + source))
            # An empty one has no meaning, where an empty place in it is the current folder.
            paths = b"/proc/self/fd/%d" % memory + (b":" + paths if paths else b"")
            env = {**environment, b"PYTHONPATH": paths}
            super().__init__([b"python3", b"-"], env, b"", (memory, line, told), interpret)
            opened.remove(self.line)
            opened.remove(self.told)
        finally:
            for fd in opened:
                posix.close(fd)


def interpret(argv, env):
    """Becomes another of this interpreter, called by its name alone, as if found in PATH."""
    posix.execve(sys.executable, argv, env)


def boot(fields):
    """Starts the first spare, if there is to be one; gives the environment, the spare and its source."""
    source = fields.string()
    if not source:
        return initial_environment(), None, source
    # A list of ASCII literals is Python and needs no parser there.
    lists = ascii([[name.decode() for name in fields.list()] for _ in range(2)])
    source = b"PRELOAD, IDLE = " + lists.encode() + b"\n" + source
    environment = initial_environment()
    return environment, Spare(environment, source, True), source
