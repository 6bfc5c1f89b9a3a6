"""PID 1 of a warm container: takes jobs from its stdin, runs each as a child, reports its end.

It runs as `python3 -I -S -c <boot.py>`, and its own source comes first on stdin, in two parts, this
and what stands before it (`launch.py`): for each eight decimal digits that give the source's length,
then the sources. Only built-in modules are imported, for an import is paid by every container:
`signal` alone, which brings `enum`, costs as much as the rest.

A frame on stdin is one byte of kind, four bytes of length (little-endian), and the payload:

    B  boot   nonce, spare (source), preload, idle        once, first; `launch.py` takes it
    J  job    nonce, mode, meta                           opens a job
    D  data   bytes for the job's stdin
    E  end    (empty) the job's stdin is complete

A nonce is 16 bytes. `spare` is a string, `preload` and `idle` are lists of strings. A string is
four bytes of length and its bytes; a list is four bytes of count and its strings. The modes:

    S  script   meta goes as it is to the spare interpreter: env (list: name, value, ...), args
                (list); the script's source follows as the job's stdin
    C  command  meta is argv (list), env (list: name, value, ...), cwd (string, may be empty)
    P  piped    the same; the command's stdin follows as it is written, and is complete when the job
                ends, if not before
    F  files    meta is the source of `files.py`, which a fork of this process runs

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

# Above, in `launch.py`: the modules, the constants of the spare, and what starts processes.

CHUNK = 1 << 16
# Input is left in the pipe while this much waits for a job that does not read.
STDIN_BACKLOG = 1 << 18
PR_SET_DUMPABLE = 4


def interpret_source(argv, env):
    """Goes on as that Python program. Compiled here, not before the fork: that takes memory."""
    exec(compile(argv[0], "<files>", "exec"), {})


def mapping(names_and_values):
    return dict(zip(names_and_values[::2], names_and_values[1::2]))


def report(nonce, kind, value):
    trailer = nonce + kind + little(value, 4)
    write(STDERR, trailer)
    write(STDOUT, trailer)


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


class Job:
    """A process under way, and what waits to be written to its stdin."""

    def __init__(self, nonce, pid, stdin, piped=False):
        self.nonce = nonce
        self.pid = pid
        self.stdin = stdin
        # It is under way long before its stdin is complete.
        self.piped = piped
        self.pending = bytearray()
        self.complete = False
        posix.set_blocking(stdin, False)

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
                del self.pending[: posix.write(self.stdin, self.pending[:CHUNK])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.complete = True
        if self.complete:
            self.close()

    def close(self):
        if self.stdin is not None:
            posix.close(self.stdin)
            self.stdin = None
            self.pending.clear()


class Supervisor:
    def __init__(self, nonce, environment, spare, spare_source):
        # Of a boot not yet answered.
        self.booting = nonce
        self.environment = environment
        self.spare = spare
        self.spare_source = spare_source
        self.oom_kills = oom_kills()
        self.input = bytearray()
        self.job = None
        self.wake, wake = posix.pipe()
        for fd in (self.wake, wake):
            posix.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        # PID 1 is not touched by a signal from inside that it leaves at the default.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def serve(self):
        # The spare takes its time to come up, and must not end unnoticed before this.
        shield()
        self.reap()
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
                        posix._exit(0)
                    self.receive()
                elif fd == self.wake:
                    self.reap()
                elif self.booting is not None and fd == self.spare.line:
                    self.booted()
                elif self.job is not None:
                    self.job.flush()

    def receive(self):
        data = posix.read(STDIN, CHUNK)
        if not data:
            posix._exit(0)
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
                    if not self.job.piped:
                        # Behind what the job waits for: kills until now were not of this job.
                        self.oom_kills = oom_kills()
            elif kind == b"J":
                self.begin(Fields(payload))

    def booted(self):
        """The spare is parked; or it failed, and its reason came instead."""
        nonce, self.booting = self.booting, None
        word = posix.read(self.spare.line, CHUNK)
        if word == b"ready":
            report(nonce, b"R", 0)
        else:
            write(STDERR, word)
            report(nonce, b"F", 0)

    def begin(self, fields):
        nonce, mode = fields.take(16), fields.take(1)
        if mode == b"S":
            spare = self.spare or Spare(self.environment, self.spare_source)
            self.spare = None
            posix.close(spare.line)
            self.job = Job(nonce, spare.pid, spare.stdin)
            meta = fields.rest()
            self.job.feed(little(len(meta), 4) + meta)
        else:
            if mode == b"F":
                task = [fields.rest()], {}, b"", interpret_source
            else:
                task = fields.list(), mapping(fields.list()), fields.string(), execute
            argv, env, cwd, become = task
            theirs, ours = posix.pipe()
            pid = start(argv, {**self.environment, **env}, cwd, theirs, (), become)
            posix.close(theirs)
            self.job = Job(nonce, pid, ours, mode == b"P")
            if self.job.piped:
                self.oom_kills = oom_kills()

    def reap(self):
        try:
            posix.read(self.wake, CHUNK)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.job is not None and pid == self.job.pid:
                self.end(status)
            elif self.spare is not None and pid == self.spare.pid:
                if self.booting is not None:
                    self.booted()
                posix.close(self.spare.stdin)
                posix.close(self.spare.line)
                self.spare = None

    def end(self, status):
        job, self.job = self.job, None
        job.close()
        if not posix.WIFSIGNALED(status):
            report(job.nonce, b"E", posix.WEXITSTATUS(status))
            return
        number, kind = posix.WTERMSIG(status), b"S"
        if number == signal.SIGKILL:
            kills = oom_kills()
            if kills > self.oom_kills:
                kind = b"O"
            self.oom_kills = kills
        report(job.nonce, kind, number)


Supervisor(*booted).serve()
