"""PID 1 of a warm container: takes jobs from its stdin, runs each as a child, tells what comes of it.

It runs as `python3 -I -S -c <boot.py>`, and its own source comes first on stdin, in two parts, this
and what stands before it (`launch.py`): for each eight decimal digits that give the source's length,
then the sources. Only built-in modules are imported, for an import is paid by every container:
`signal` alone, which brings `enum`, costs as much as the rest.

A frame, in both directions, is one byte of kind, four bytes of length (little-endian), and the
payload. On stdin:

    B  boot   spare (source), preload, idle        once, first; `launch.py` takes it; without a source
                                                   there is no spare, and no script can come
    J  job    mode, meta                           opens a job; the one before it has been answered
    D  data   bytes for the job's stdin
    E  end    (empty) the job's stdin is complete
    I  interrupt  (empty) SIGINT for the job's process group, as from a terminal

`spare` is a string, `preload` and `idle` are lists of strings. A string is four bytes of length and
its bytes; a list is four bytes of count and its strings. The modes:

    S  script   meta goes as it is to the spare interpreter: env (list: name, value, ...), args
                (list); the script's source follows as the job's stdin
    T  telling  the same, and behind it the source of what the interpreter tells by (`tell.py`); its stdin
                follows as it is written
    C  command  meta is argv (list), env (list: name, value, ...), cwd (string, may be empty)
    P  piped    the same; the command's stdin follows as it is written, and is complete when the job
                ends, if not before
    F  files    meta is the source of `files.py`, which a fork of this process runs

On stdout, first one of these, which answers the boot:

    R  ready       (empty) a spare interpreter is parked; or none was asked for
    F  failed      why it is not, in words
    U  unshielded  (empty) scripts could reach into this process (`shield`); it ends

and for each job first what it writes, at most 64 KiB a frame, then its end:

    1  stdout, 2  stderr; 3  what the interpreter tells, behind what it has written until then
    X  exit     one byte: the exit code
    S  signal   one byte: the number of the signal that ended it
    O  oom      the same, where the kernel's out-of-memory killer sent it
    N  none     it could not be started; why, in words

No script holds a stream of this process: each has pipes of its own (`Child`), and what comes through
them is data here, whatever it looks like. Nor can it open one, or write to this process's memory:
that is what `shield` is for. So an end that is told is one that the kernel told.

Frames wait here for a reader that takes its time, and no job's output is read meanwhile; input, ends
and signals are seen to. The end of stdin is the end of this process, and so of the container: that is
the lifeline.
"""

# Above, in `launch.py`: the modules, the constants, and what starts processes.

from time import monotonic

# Input is left in the pipe while this much waits for a job that does not read.
STDIN_BACKLOG = 1 << 18
# How many pipes are read that nobody wants to hear from, and how long to rest after one was full:
# who floods what is thrown away waits most of the time.
STRAYS = 32
REST = 0.02
# What is remembered of the last that was thrown away.
LAST_WORDS = 4096
# The most that a pipe holds without privileges, in pieces.
PIPE_PIECES = 16
PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4
F_GETPIPE_SZ = 1032
# The same on every processor.
ENOMEM = 12


def interpret_source(argv, env):
    """Goes on as that Python program. Compiled here, not before the fork: that takes memory."""
    exec(compile(argv[0], "<files>", "exec"), {})


def mapping(names_and_values):
    return dict(zip(names_and_values[::2], names_and_values[1::2]))


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
    """Keeps scripts, which run as the same user, out of this process's memory and descriptors.

    Gives the C library, by which that is done; `None`: it could not be done.
    """
    try:
        import ctypes

        library = ctypes.CDLL(None)
        library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        return None if library.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) else library
    except (ImportError, OSError, AttributeError):
        return None


class Watch:
    """Descriptors to wait for.

    epoll, as poll(2) fails where a script has taken away this process's right to open files; else poll,
    as a user has so many places in epolls, and all containers are mostly the same user's.
    """

    def __init__(self):
        self.epoll = select.epoll()
        self.events = {}
        self.awaited = {}

    def wait(self, events, timeout):
        """Those that have something of the `events` asked for, or a hang-up."""
        self.awaited = events
        try:
            return self.wait_by_epoll(events, timeout)
        except OSError:
            poll = select.poll()
            for fd, wanted in events.items():
                poll.register(fd, wanted)
            return poll.poll(timeout and timeout * 1000)

    def wait_by_epoll(self, events, timeout):
        for fd in self.events.keys() - events.keys():
            self.forget(fd)
        for fd, wanted in events.items():
            known = self.events.get(fd)
            if known is None:
                self.epoll.register(fd, wanted)
            elif known != wanted:
                self.epoll.modify(fd, wanted)
            self.events[fd] = wanted
        return self.epoll.poll(timeout)

    def forget(self, fd):
        if self.events.pop(fd, None) is not None:
            self.epoll.unregister(fd)

    def close(self, fd):
        """A number that is given anew must not pass for one that is known."""
        self.forget(fd)
        self.awaited.pop(fd, None)
        posix.close(fd)


watch = Watch()


def wrote(call, fd, data):
    """How much of it the pipe took. Where the container's memory has run out, it takes none for a while."""
    try:
        return call(fd, data)
    except BlockingIOError:
        return 0
    except OSError as error:
        if error.errno != ENOMEM:
            raise
        select.select((), (), (), REST)
        return 0


class Output:
    """One stream of a job, passed on as it comes."""

    buffer = bytearray(CHUNK)

    def __init__(self, kind, fd):
        self.kind = kind
        # `None`: it has come to its end.
        self.fd = fd
        # How much may still come; `None`: any.
        self.left = None
        self.last_words = b""

    def read(self):
        """The next piece, in a buffer that all share; `None`: there is none for now."""
        try:
            size = posix.readv(self.fd, [self.buffer])
        except BlockingIOError:
            return None
        if size == 0:
            watch.close(self.fd)
            self.fd = None
            return None
        return memoryview(self.buffer)[:size]

    def pass_on(self):
        """Says whether there was anything."""
        piece = self.read()
        if piece is not None:
            channel.send(self.kind, piece)
        if self.left is not None:
            self.left -= len(piece) if piece else self.left
        return piece is not None

    def discard(self):
        """Says whether there was anything."""
        piece = self.read()
        if piece is None:
            return False
        self.last_words = bytes(piece[-LAST_WORDS:])
        return True

    def end(self, library):
        """The job has ended: what is in the pipe is its own, what others write behind it is not."""
        self.left = 0
        if self.fd is not None:
            self.left = max(CHUNK, library.fcntl(self.fd, F_GETPIPE_SZ))

    def is_over(self):
        return self.left is not None and (self.fd is None or self.left <= 0)


class Told(Output):
    """What a job's interpreter tells, behind all that the job has written until then."""

    def __init__(self, fd, outputs):
        super().__init__(b"3", fd)
        self.outputs = outputs

    def pass_on(self):
        # They are read to their end before this once the job has ended.
        for output in self.outputs if self.left is None else ():
            for _ in range(PIPE_PIECES):
                if output.fd is None or not output.pass_on():
                    break
        return super().pass_on()


class Channel:
    """This process's stdout, to which nobody else writes."""

    def __init__(self):
        self.waiting = bytearray()
        posix.set_blocking(STDOUT, False)

    def send(self, kind, payload=b""):
        frame = kind + little(len(payload), 4), payload
        written = 0 if self.waiting else self.write(posix.writev, frame)
        if written < 5 + len(payload):
            self.waiting += b"".join(frame)[written:]

    def flush(self):
        del self.waiting[: self.write(posix.write, self.waiting[:CHUNK])]

    @staticmethod
    def write(call, data):
        return wrote(call, STDOUT, data)


channel = Channel()


class Strays:
    """Pipes whose output is nobody's: of what a job has left running, of a spare without a job."""

    def __init__(self):
        self.outputs = []
        self.rested = 0.0

    def add(self, *outputs):
        self.outputs += [output for output in outputs if output.fd is not None]
        # Who holds that many pipes loses the oldest.
        for output in self.outputs[:-STRAYS]:
            watch.close(output.fd)
        del self.outputs[:-STRAYS]

    def take_back(self, outputs):
        """Without what has come through them."""
        for output in outputs:
            for _ in range(PIPE_PIECES):
                if output.fd is None or not output.discard():
                    break
        self.outputs = [output for output in self.outputs if output not in outputs]

    def rest(self):
        """How long they are not to be looked at, in s."""
        return max(0.0, self.rested - monotonic()) if self.outputs else 0.0

    def discard(self, output):
        if output.discard():
            self.rested = monotonic() + REST
        elif output.fd is None:
            self.outputs.remove(output)


class Job:
    """A process under way, what it writes, and what waits to be written to its stdin."""

    def __init__(self, child, outputs, piped):
        self.pid = child.pid
        self.stdin = child.stdin
        self.outputs = outputs
        # It is under way long before its stdin is complete.
        self.piped = piped
        self.pending = bytearray()
        self.complete = False
        # As it was waited for; `None`: it runs.
        self.status = None

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
                written = wrote(posix.write, self.stdin, self.pending[:CHUNK])
                if not written:
                    return
                del self.pending[:written]
        except BrokenPipeError:
            self.complete = True
        if self.complete:
            self.close()

    def end(self, status, library):
        self.status = status
        self.close()
        for output in self.outputs:
            output.end(library)

    def close(self):
        if self.stdin is not None:
            watch.close(self.stdin)
            self.stdin = None
            self.pending.clear()


def outputs_of(child):
    return Output(b"1", child.stdout), Output(b"2", child.stderr)


class Supervisor:
    def __init__(self, environment, spare, spare_source):
        self.environment = environment
        self.spare = spare
        self.spare_source = spare_source
        self.strays = Strays()
        self.spare_outputs = outputs_of(spare) if spare else ()
        self.strays.add(*self.spare_outputs)
        self.booting = spare is not None
        self.library = None
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
        self.library = shield()
        if self.library is None:
            channel.send(b"U")
            posix._exit(0)
        try:
            if not self.booting:
                channel.send(b"R")
            self.reap()
            while True:
                self.turn()
        except BrokenPipeError:
            self.leave()

    def turn(self):
        work = self.work()
        rest = self.strays.rest()
        events = {fd: wanted for fd, (wanted, _) in work.items()}
        for fd, happened in watch.wait(events, rest or None):
            if fd == STDIN and not happened & select.EPOLLIN:
                self.leave()
            # One before it may have closed it.
            if fd in watch.awaited:
                work[fd][1]()
        self.settle()

    def work(self):
        """What to wait for: descriptor, its events, and what to do about them."""
        job = self.job
        full = job is not None and len(job.pending) >= STDIN_BACKLOG
        work = {
            # A hang-up is told even where nothing else is asked for.
            STDIN: (select.EPOLLHUP if full else select.EPOLLIN, self.receive),
            self.wake: (select.EPOLLIN, self.reap),
        }
        if channel.waiting:
            work[STDOUT] = select.EPOLLOUT, channel.flush
        elif job is not None:
            for output in job.outputs:
                if output.fd is not None:
                    work[output.fd] = select.EPOLLIN, output.pass_on
        if job is not None and job.pending:
            work[job.stdin] = select.EPOLLOUT, job.flush
        if self.booting and self.spare is not None:
            work[self.spare.line] = select.EPOLLIN, self.booted
        if not self.strays.rest():
            for output in self.strays.outputs:
                work[output.fd] = select.EPOLLIN, lambda stray=output: self.strays.discard(stray)
        return work

    def receive(self):
        data = posix.read(STDIN, CHUNK)
        if not data:
            self.leave()
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
            elif kind == b"I":
                self.interrupt()
            elif kind == b"J":
                self.begin(Fields(payload))

    def leave(self):
        """Nobody is there any more. What runs would go on where this is not process 1."""
        if self.job is not None and self.job.status is None:
            try:
                posix.killpg(self.job.pid, signal.SIGKILL)
            except OSError:
                pass
        posix._exit(0)

    def interrupt(self):
        # Nobody else has its number until it is waited for.
        if self.job is not None and self.job.status is None:
            try:
                posix.killpg(self.job.pid, signal.SIGINT)
            except ProcessLookupError:
                pass

    def booted(self):
        """The spare is parked; or it failed, and its reason came instead."""
        self.booting = False
        word = posix.read(self.spare.line, CHUNK)
        if word == b"ready":
            channel.send(b"R")
        else:
            self.strays.take_back(self.spare_outputs)
            channel.send(b"F", word or self.spare_outputs[1].last_words)

    def begin(self, fields):
        mode = fields.take(1)
        try:
            if mode in b"ST":
                self.begin_script(mode, fields.rest())
            else:
                self.begin_command(mode, fields)
        except (OSError, MemoryError) as error:
            # Mostly for want of processes or descriptors, which what jobs have left running uses up.
            self.job = None
            channel.send(b"N", str(error).encode())

    def begin_script(self, mode, meta):
        spare, outputs = self.spare, self.spare_outputs
        if spare is None:
            spare = Spare(self.environment, self.spare_source, False)
            outputs = outputs_of(spare)
        self.spare = None
        self.strays.take_back(outputs)
        watch.close(spare.line)
        if mode == b"T":
            outputs += (Told(spare.told, outputs),)
            self.oom_kills = oom_kills()
        else:
            posix.close(spare.told)
        self.job = Job(spare, outputs, piped=mode == b"T")
        self.job.feed(little(len(meta), 4) + meta)

    def begin_command(self, mode, fields):
        if mode == b"F":
            task = [fields.rest()], {}, b"", interpret_source
        else:
            task = fields.list(), mapping(fields.list()), fields.string(), execute
        argv, env, cwd, become = task
        child = Child(argv, {**self.environment, **env}, cwd, (), become)
        self.job = Job(child, outputs_of(child), piped=mode == b"P")
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
                self.job.end(status, self.library)
            elif self.spare is not None and pid == self.spare.pid:
                if self.booting:
                    self.booted()
                watch.close(self.spare.stdin)
                watch.close(self.spare.line)
                posix.close(self.spare.told)
                self.spare = None

    def settle(self):
        """Passes on what a job that has ended left in its pipes, and then tells its end."""
        job = self.job
        if job is None or job.status is None:
            return
        for output in job.outputs:
            while not output.is_over():
                if channel.waiting:
                    return
                output.pass_on()
        self.job = None
        self.strays.add(*job.outputs)
        self.tell(job.status)

    def tell(self, status):
        if not posix.WIFSIGNALED(status):
            channel.send(b"X", little(posix.WEXITSTATUS(status), 1))
            return
        number, kind = posix.WTERMSIG(status), b"S"
        if number == signal.SIGKILL:
            kills = oom_kills()
            if kills > self.oom_kills:
                kind = b"O"
            self.oom_kills = kills
        channel.send(kind, little(number, 1))


Supervisor(*booted).serve()
