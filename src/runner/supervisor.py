"""PID 1 of a warm container: takes jobs from its stdin, runs each as a child, reports its end.

It runs as `python3 -I -S -c <boot.py>`, and its own source comes first on stdin: eight decimal
digits that give the source's length, then the source. Only built-in modules are imported, for an
import is paid by every container: `signal` alone, which brings `enum`, costs as much as the rest.

A frame on stdin is one byte of kind, four bytes of length (little-endian), and the payload:

    B  boot   nonce, spare (source), preload, idle        once, first
    J  job    nonce, mode, meta                           opens a job
    D  data   bytes for the job's stdin
    E  end    (empty) the job's stdin is complete

A nonce is 16 bytes. `spare` is a string, `preload` and `idle` are lists of strings. A string is
four bytes of length and its bytes; a list is four bytes of count and its strings. The modes:

    S  script   meta goes as it is to the spare interpreter: env (list: name, value, ...), args
                (list); the script's source follows as the job's stdin
    C  command  meta is argv (list), env (list: name, value, ...), cwd (string, may be empty)

A trailer answers boot and every job, on stdout and on stderr, after all that the job's process
wrote there: the nonce, one byte of kind, four bytes of value (little-endian).

    R  ready    (boot) value 0
    F  failed   (boot) a module to preload did not import; the reason stands before it on stderr
    E  exit     the exit code
    S  signal   the number of the signal that ended it
    O  oom      the same, where the kernel's out-of-memory killer sent it

The nonce is all that keeps a script from writing a trailer of its own, so this process keeps its
memory to itself (`shield`), and the script's process never holds a copy of it: the spare
interpreter is started by exec, and long before the nonce arrives.

The end of stdin is the end of this process, and so of the container: that is the lifeline.
"""

import os
import select
import _signal as signal

STDIN, STDOUT, STDERR = 0, 1, 2
CHUNK = 1 << 16
# Input is left in the pipe while this much waits for a job that does not read.
STDIN_BACKLOG = 1 << 18
# Where the spare interpreter finds its archive and its line to here; closed before a script runs.
SPARE_ARCHIVE, SPARE_LINE = 50, 51
SPARE_PATH = b"/proc/self/fd/%d" % SPARE_ARCHIVE
# Python ignores these two; what it starts would inherit that.
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
PR_SET_DUMPABLE = 4


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


def mapping(names_and_values):
    return dict(zip(names_and_values[::2], names_and_values[1::2]))


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
    """Writes it all, even where a script has made the shared pipe non-blocking."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            poller = select.poll()
            poller.register(fd, select.POLLOUT)
            poller.poll()


def report(nonce, kind, value):
    trailer = nonce + kind + little(value, 4)
    write(STDERR, trailer)
    write(STDOUT, trailer)


def initial_environment():
    """The container's environment. `os.environ` has been through locale coercion (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def oom_kills():
    """How many processes of this container the kernel has killed for memory, as cgroup v2 or v1 tells."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path, "rb") as file:
                for line in file:
                    name, _, count = line.partition(b" ")
                    if name == b"oom_kill":
                        return int(count)
        except OSError:
            pass
    return 0


def shield():
    """Keeps the scripts, which run as the same user, out of this process's memory and descriptors."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def start(argv, env, cwd, stdin, inherited=()):
    """Starts a process as an engine's exec would: a session of its own, default signals.

    `inherited` are pairs: a descriptor here, its number there.
    """
    pid = os.fork()
    if pid:
        # A script that fills the memory must go before this process does.
        try:
            with open("/proc/%d/oom_score_adj" % pid, "wb") as file:
                file.write(b"1000")
        except OSError:
            pass
        return pid
    status = 127
    try:
        os.setsid()
        os.dup2(stdin, STDIN)
        for here, there in inherited:
            os.dup2(here, there)
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        if cwd:
            status = 126
            os.chdir(cwd)
            status = 127
        os.execvpe(argv[0], argv, env)
    except OSError as error:
        if isinstance(error, PermissionError):
            status = 126
        failed = cwd if status == 126 and error.filename == cwd else argv[0]
        write(STDERR, failed + b": " + os.fsencode(error.strerror) + b"\n")
    finally:
        os._exit(status)


class Spare:
    """A `python3 -` started ahead, parked in its site phase (`spare.py`) until its job comes."""

    def __init__(self, environment, source):
        paths = [SPARE_PATH] + [path for path in [environment.get(b"PYTHONPATH")] if path]
        env = dict(environment)
        env[b"PYTHONPATH"] = b":".join(paths)
        memory = os.memfd_create("spare")
        write(memory, archive(b"sitecustomize.py", source))
        stdin, self.stdin = os.pipe()
        self.line, line = os.pipe()
        inherited = ((memory, SPARE_ARCHIVE), (line, SPARE_LINE))
        self.pid = start([b"python3", b"-"], env, None, stdin, inherited)
        for fd in (memory, stdin, line):
            os.close(fd)


class Job:
    """A process under way, and what waits to be written to its stdin."""

    def __init__(self, nonce, pid, stdin):
        self.nonce = nonce
        self.pid = pid
        self.stdin = stdin
        self.pending = bytearray()
        self.complete = False
        os.set_blocking(stdin, False)

    def feed(self, data):
        if self.stdin is not None:
            self.pending += data
            self.flush()

    def finish(self):
        self.complete = True
        self.flush()

    def flush(self):
        """Writes what the pipe takes; a process that no longer reads is no error."""
        if self.stdin is None:
            return
        try:
            while self.pending:
                del self.pending[: os.write(self.stdin, self.pending[:CHUNK])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.complete = True
        if self.complete:
            self.close()

    def close(self):
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None
            self.pending.clear()


class Supervisor:
    def __init__(self):
        self.environment = initial_environment()
        self.oom_kills = oom_kills()
        self.input = bytearray()
        self.spare_source = b""
        self.spare = None
        # The nonce of a boot not yet answered.
        self.booting = None
        self.job = None
        self.wake, wake = os.pipe()
        for fd in (self.wake, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # PID 1 is not touched by a signal from inside that it leaves at the default.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def serve(self):
        while True:
            poller = select.poll()
            poller.register(self.wake, select.POLLIN)
            job = self.job
            # Registered in any case: a hang-up is told even where nothing is asked for.
            full = job is not None and len(job.pending) >= STDIN_BACKLOG
            poller.register(STDIN, 0 if full else select.POLLIN)
            if job is not None and job.pending:
                poller.register(job.stdin, select.POLLOUT)
            if self.booting is not None and self.spare is not None:
                poller.register(self.spare.line, select.POLLIN)
            for fd, events in poller.poll():
                if fd == STDIN:
                    if not events & select.POLLIN:
                        os._exit(0)
                    self.receive()
                elif fd == self.wake:
                    self.reap()
                elif self.booting is not None and fd == self.spare.line:
                    self.booted()
                elif self.job is not None:
                    self.job.flush()

    def receive(self):
        data = os.read(STDIN, CHUNK)
        if not data:
            os._exit(0)
        self.input += data
        while len(self.input) >= 5:
            end = 5 + int.from_bytes(self.input[1:5], "little")
            if len(self.input) < end:
                return
            kind, payload = self.input[:1], bytes(self.input[5:end])
            del self.input[:end]
            if kind == b"D":
                if self.job is not None:
                    self.job.feed(payload)
            elif kind == b"E":
                if self.job is not None:
                    self.job.finish()
            elif kind == b"J":
                self.begin(Fields(payload))
            elif kind == b"B":
                self.boot(Fields(payload))

    def boot(self, fields):
        self.booting = fields.take(16)
        source = fields.string()
        # A list of ASCII literals is Python and needs no parser there.
        lists = ascii([[name.decode() for name in fields.list()] for _ in range(2)])
        self.spare_source = b"PRELOAD, IDLE = " + lists.encode() + b"\n" + source
        self.spare = Spare(self.environment, self.spare_source)

    def booted(self):
        """The spare is parked; or it failed, and its reason came instead."""
        nonce, self.booting = self.booting, None
        word = os.read(self.spare.line, CHUNK)
        if word == b"ready":
            report(nonce, b"R", 0)
            shield()
        else:
            write(STDERR, word)
            report(nonce, b"F", 0)

    def begin(self, fields):
        nonce, mode = fields.take(16), fields.take(1)
        if mode == b"S":
            spare = self.spare or Spare(self.environment, self.spare_source)
            self.spare = None
            os.close(spare.line)
            self.job = Job(nonce, spare.pid, spare.stdin)
            meta = fields.rest()
            self.job.feed(little(len(meta), 4) + meta)
        else:
            argv, env, cwd = fields.list(), mapping(fields.list()), fields.string()
            theirs, ours = os.pipe()
            pid = start(argv, {**self.environment, **env}, cwd, theirs)
            os.close(theirs)
            self.job = Job(nonce, pid, ours)

    def reap(self):
        try:
            os.read(self.wake, CHUNK)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.job is not None and pid == self.job.pid:
                self.end(status)
            elif self.spare is not None and pid == self.spare.pid:
                if self.booting is not None:
                    self.booted()
                os.close(self.spare.stdin)
                os.close(self.spare.line)
                self.spare = None

    def end(self, status):
        job, self.job = self.job, None
        job.close()
        if not os.WIFSIGNALED(status):
            report(job.nonce, b"E", os.WEXITSTATUS(status))
            return
        number, kind = os.WTERMSIG(status), b"S"
        if number == signal.SIGKILL:
            kills = oom_kills()
            if kills > self.oom_kills:
                kind = b"O"
            self.oom_kills = kills
        report(job.nonce, kind, number)


Supervisor().serve()
