"""What a template does in its site phase: it is booted as a spare is, and forked for each container.

It runs nothing but what it is to preload, and this. `spare.py` stands before it; the launcher prepends lines
that set, beside that one's, CONTROL (the descriptor of its line to the launcher), USER (whom a fork becomes,
uid and gid; None: there is no other), BOUNDING and KEPT (sets of capabilities that a fork keeps), FILTERS
(compiled system call filters, for forks alone), FOLDER (where a fork begins) and KEYCTL (the number of that
system call).

On its stdout comes one word: `ready`, or why there can be no forks of it. From then on it answers each byte on
its stdin with a line: `=` and the bytes of memory that it uses; and a fork that fails writes the line `!`. For
each container, the
launcher sends the descriptors of a line to the container's process 1, of its namespaces in the order in
which they are entered, and of the files by which its control groups are joined. What follows takes three
forks:

    template     in the launcher's pid namespace; waits for the next container
      child      joins the groups, which can take the kernel tens of milliseconds, and enters the namespaces; that of
                 process ids counts for its children alone
        between  ends at once, so that the container's process 1 has its child
          fork   gives up what it had for entering. When process 1 wants its interpreter, it tells that of itself,
                 and goes on as a spare does

Whatever fails, the line to process 1 ends with it, and that boots an interpreter of its own.
"""

NAMESPACES = 7
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION = 0x20080522
LAST_CAPABILITY = 63
JOIN_SESSION_KEYRING = 1
MADV_POPULATE_WRITE = 23
# Bytes: with more of it, forks keep what they share.
MOST_OWNED = 32 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")


def tell(word):
    """On stdout, where nothing else of what modules write is to come from here on."""
    os.write(STDOUT, word)
    silence((STDERR,))


def has_threads():
    return len(os.listdir("/proc/self/task")) > 1


def put_threads_away():
    """Whether those that there are have gone.

    A library that keeps threads for its work, as numpy's has, ends them before a fork, and starts them again
    in whichever process needs them. So they go with a first fork.
    """
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    # They have been joined; the kernel may list them for a moment.
    for _ in range(1000):
        if not has_threads():
            return True
        os.sched_yield()
    return False


def obstacle():
    """Why there can be no forks of this process; None: there can."""
    if has_threads() and not put_threads_away():
        return b"a module that is preloaded has started a thread"
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            # That of the list itself is closed by now.
            os.fstat(number)
        except OSError:
            continue
        if number not in (STDIN, STDOUT, STDERR, CONTROL):
            return b"a module that is preloaded holds an open file, which all forks would share"
    with open("/proc/self/maps", "rb") as maps:
        for line in maps:
            flags = line.split(None, 2)[1]
            if flags[1:2] == b"w" and flags[3:4] == b"s":
                return b"a module that is preloaded holds memory that all forks would share"
    return None


def places():
    """Where memory is that a fork has to be given copies of as it writes to it: `(address, length)`; nothing, if that
    is too much."""
    found = []
    with open("/proc/self/maps", "rb") as maps:
        for line in maps:
            place, flags, _ = line.split(None, 2)
            if flags == b"rw-p":
                start, end = (int(part, 16) for part in place.split(b"-"))
                found.append((start, end - start))
    return found if sum(length for _, length in found) <= MOST_OWNED else []


def set_up():
    """What forks take to become one, made once: gives the functions by which the template hears of a container,
    and by which a child of it becomes the fork."""
    import _socket
    import select

    try:
        import ctypes
    except ImportError:
        raise LookupError("the image's python3 has no ctypes, which forks take") from None

    library = ctypes.CDLL(None, use_errno=True)
    # Looked up here, not where they are called: what comes into being after `freeze` and is no plain value has a fork
    # collect all at its end. So with the method of `control`, whose type is made complete with that.
    setns, prctl, capset = library.setns, library.prctl, library.capset
    syscall = library.syscall
    # Five arguments, of which some are pointers.
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    # An instruction has eight bytes.
    programs = [Program(len(code) // 8, code) for code in FILTERS]
    little = lambda number: number.to_bytes(4, "little")
    halves = KEPT & 0xFFFFFFFF, KEPT >> 32
    sets = b"".join(little(half) * 2 + bytes(4) for half in halves)
    header = ctypes.create_string_buffer(little(CAPABILITY_VERSION) + bytes(4), 8)
    sets = ctypes.create_string_buffer(sets, 24)
    control = _socket.socket(fileno=CONTROL)
    hear = control.recvmsg
    room = _socket.CMSG_SPACE(16 * 4)
    rights = _socket.SOL_SOCKET, _socket.SCM_RIGHTS
    template = os.getpid()
    madvise = library.madvise
    madvise.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_int]
    owned = places()

    def check(result):
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    questions = select.poll()
    for number in (STDIN, CONTROL):
        questions.register(number, select.POLLIN)

    def receive():
        while CONTROL not in [number for number, _ in questions.poll()]:
            if not os.read(STDIN, 64):
                os._exit(0)
            # As bytes: text would import a codec's module on some versions.
            with open("/proc/self/statm", "rb") as memory:
                used = int(memory.read().split()[1]) * PAGE
            os.write(STDOUT, b"=%d\n" % used)
        data, messages, _, _ = hear(1, room)
        if not data:
            os._exit(0)
        return [fd for _, _, fds in messages for fd in memoryview(fds).cast("i")]

    def give_up():
        """What it had for entering. It is in its container from here on."""
        os.setsid()
        # Namespaces do not divide the session's keyring. Where there are none, there is nothing to leave.
        syscall(KEYCTL, JOIN_SESSION_KEYRING, None)
        if USER is not None:
            os.setgroups([])
            os.setresgid(USER[1], USER[1], USER[1])
            os.setresuid(USER[0], USER[0], USER[0])
        for number in range(LAST_CAPABILITY + 1):
            if not BOUNDING >> number & 1 and prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
                # The first number that this kernel has no capability for.
                break
        check(capset(header, sets))
        # The kernel has closed its memory to its own user as it became another.
        check(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
        os.chdir(FOLDER)

    def take_place(line, alone):
        """Gets streams of its own, and waits until process 1, whose child it is by then, wants it; sends the other
        ends of them there."""
        global TOLD
        near, far = [], []
        for number in (STDIN, STDOUT, STDERR):
            reading, writing = os.pipe()
            near.append(writing if number else reading)
            far.append(reading if number else writing)
        for number, fd in enumerate(near):
            os.dup2(fd, number)
            os.close(fd)
        told, TOLD = os.pipe()
        far.append(told)
        for program in programs:
            check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0))
        descriptors = b"".join(map(little, far))
        # Ends when those between it and the template have.
        os.read(alone, 1)
        os.close(alone)
        init = _socket.socket(fileno=line)
        if not init.recv(1):
            os._exit(0)
        init.sendmsg([little(os.getpid())], [(*rights, descriptors)])
        init.close()
        for fd in far:
            os.close(fd)

    def enter(line, *others):
        # Until it is in the container it is the template's, and ends with that.
        check(prctl(PR_SET_PDEATHSIG, _signal.SIGKILL, 0, 0, 0))
        if os.getppid() != template:
            os._exit(0)
        control.close()
        for fd in others[NAMESPACES:]:
            os.write(fd, b"0")
        for fd in others[:NAMESPACES]:
            check(setns(fd, 0))
        alone, held = os.pipe()
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            # At once, and not when the kernel has put away all else.
            os.close(held)
            os._exit(0)
        if os.fork():
            os._exit(0)
        for fd in (held, *others):
            os.close(fd)
        give_up()
        mend()
        # While nobody waits: an interpreter writes to nearly all it has as it ends, and page by page the kernel
        # takes longer over copies than a short script takes in all. Kernels before 5.14 can't.
        for place, length in owned:
            madvise(place, length, MADV_POPULATE_WRITE)
        take_place(line, alone)

    return receive, enter


def mend():
    """Makes anew what modules know of their process, or were to have for themselves."""
    modules = sys.modules
    # `random` itself does so at each fork.
    numpy = modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    if "tempfile" in modules:
        modules["tempfile"]._name_sequence = None
    if "uuid" in modules:
        modules["uuid"]._node = modules["uuid"]._last_timestamp = None
    if "_ssl" in modules:
        # OpenSSL tells a fork by its process id, which may be the template's own in another namespace.
        modules["_ssl"].RAND_add(os.urandom(64), 64.0)
    if "multiprocessing.process" in modules:
        process = modules["multiprocessing.process"]
        process.current_process().authkey = os.urandom(32)
    if "threading" in modules:
        threading = modules["threading"]
        main = threading.main_thread()
        if hasattr(main, "_native_id"):
            main._native_id = threading.get_native_id()


def warm_template():
    """Gives the word, and what takes a fork to its place."""
    word = preload()
    functions = None
    if word == b"ready":
        import_idle()
        # What is imported here for this file alone is in no fork's `sys.modules`.
        known = set(sys.modules)
        try:
            functions = set_up()
            word = obstacle() or word
        except LookupError as error:
            word = str(error.args[0]).encode()
        except Exception as error:
            word = ("its python3 can't be forked: %s: %s" % (type(error).__name__, error)).encode()
        for name in sys.modules.keys() - known:
            del sys.modules[name]
    return word, functions


def serve(receive, enter):
    """Returns in the forks."""
    # So nobody has to wait for its children.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
    while True:
        descriptors = receive()
        try:
            child = os.fork()
        except OSError:
            # Another one takes its place.
            os._exit(1)
        if not child:
            try:
                _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
                return enter(*descriptors)
            except BaseException:
                # Its stdout is the template's until its place is taken.
                os.write(STDOUT, b"!\n")
                os._exit(1)
        for fd in descriptors:
            os.close(fd)


vanish()
raised = image_sitecustomize()
word, functions = warm_template()
freeze()
tell(word)
if word != b"ready":
    os._exit(0)
serve(*functions)
seen = look()
apply_job(seen)
if raised is not None:
    raise raised
