"""An interpreter that stays for many runs. `tell.py` stands before this, and DISPLAY, the source of `display.py`.

What comes on stdin is moved out of the way of the runs' own, which is at its end. A run is four bytes of length,
one byte that says whether it shows what it has, four bytes of how many bytes that may be, and Python source.
Between runs an interrupt does nothing: it came too late.
"""

import builtins

NAME = "__converse__"
AST_ONLY = 0x400
HERE = "<tell>"
INTERRUPTED = 130

asked = os.dup(0)
owner = os.getpid()
namespace = {"TOLD": TOLD, "line": line, "little": little, "os": os, "sys": sys}


class Run:
    """Whether there is one."""

    is_under_way = False


def interrupt(number, frame):
    if not Run.is_under_way:
        return
    if line.is_held:
        line.is_interrupted = True
    else:
        raise KeyboardInterrupt


def receive(size):
    data = bytearray()
    while len(data) < size:
        chunk = os.read(asked, min(size - len(data), 1 << 16))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def carry_out(source, name, shown):
    """The value of the last expression is shown, unless a ; stands behind it."""
    tree = compile(source, name, "exec", AST_ONLY, True)
    last = tree.body[-1] if shown is not None and tree.body else None
    if type(last).__name__ != "Expr" or is_silent(source, last):
        exec(compile(tree, name, "exec", 0, True), main)
        return
    tree.body.pop()
    exec(compile(tree, name, "exec", 0, True), main)
    import ast

    shown.keep(eval(compile(ast.Expression(last.value), name, "eval", 0, True), main))


def is_silent(source, last):
    lines = source.encode().splitlines()
    rest = lines[last.end_lineno - 1][last.end_col_offset :]
    return rest.lstrip(b" \t\f").startswith(b";")


def is_ours(trace):
    return trace is not None and trace.tb_frame.f_code.co_filename == HERE


def show(error):
    """As the interpreter does, but for the frames of this file."""
    trace = error.__traceback__
    while is_ours(trace):
        trace = trace.tb_next
    last = trace
    while last is not None:
        # An interrupt is raised here.
        if is_ours(last.tb_next):
            last.tb_next = None
        last = last.tb_next
    if sys.excepthook is not sys.__excepthook__:
        sys.excepthook(type(error), error, trace)
        return
    import traceback

    traceback.print_exception(type(error), error, trace)


def code_of(error):
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or isinstance(code, int):
            return (code or 0) & 0xFF
        print(code, file=sys.stderr)
        return 1
    show(error)
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def perform(source, name, shown):
    """Gives the exit code that a script would have had."""
    try:
        try:
            Run.is_under_way = True
            # What the text's own lines are is what a traceback shows.
            source = source.decode()
            linecache.cache[name] = len(source), None, source.splitlines(True), name
            carry_out(source, name, shown)
            code = 0
        except BaseException as error:
            code = code_of(error)
        if shown is not None:
            shown.finish()
        flush()
    except BaseException:
        # An interrupt while that was told, or what the run has put in the place of something.
        code = INTERRUPTED
    Run.is_under_way = False
    return code


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def display(limit):
    if "display" not in namespace:
        namespace["LIMIT"] = limit
        exec(compile(DISPLAY, "<display>", "exec"), namespace)
    shown = namespace["display"]
    shown.begin(limit)
    return shown


def converse():
    delattr(builtins, NAME)
    _signal.signal(_signal.SIGINT, interrupt)
    count = 0
    # Ready.
    line.tell(b"e", bytes(1))
    while True:
        head = receive(9)
        if head is None:
            return
        size, limit = (int.from_bytes(head[at : at + 4], "little") for at in (0, 5))
        source = receive(size)
        if source is None:
            return
        count += 1
        shown = display(limit) if head[4] else None
        code = perform(source, "<run %d>" % count, shown)
        if os.getpid() != owner:
            # A fork has come to the end of what it was to do.
            sys.exit(code)
        if not line.tell(b"e", bytes([code])):
            # Nobody would hear of another one.
            sys.exit(code)


import linecache

main = sys.modules["__main__"].__dict__
setattr(builtins, NAME, converse)
feed(NAME.encode() + b"()\n")
