"""Runs probes one after another, each in a process of its own, and reports on stdout, as JSON.

`ATTEMPT` (the source of attempt.py) and `PROBES` (name: source) stand before this.
"""

import ast
import json
import os
import re
import select
import signal
import sys
import time
import types

LONGEST = 15

module = types.ModuleType("attempt")
exec(compile(ATTEMPT, "attempt.py", "exec"), module.__dict__)  # noqa: F821
sys.modules["attempt"] = module


def outcome(name, source):
    """The probe's own part."""
    scope = {"__name__": name}
    try:
        exec(compile(source, name, "exec"), scope)
        return ["broken", scope["probe"]()]
    except (OSError, MemoryError, module.Stopped) as error:
        return ["held", str(error) or type(error).__name__]
    except module.Absent as error:
        return ["absent", str(error)]
    except BaseException as error:
        return ["error", "%s: %s" % (type(error).__name__, error)]


def answer(reader):
    """What the probe says of itself; nothing if it ended without, or takes too long."""
    said = b""
    end = time.monotonic() + LONGEST
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([reader], [], [], max(0, end - time.monotonic()))
        piece = os.read(reader, 65536) if ready else b""
        if not piece:
            return None
        said += piece
    return json.loads(said)


def run(name, source):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.write(writer, json.dumps(outcome(name, source)).encode() + b"\n")
        os._exit(0)
    os.close(writer)
    said = answer(reader)
    os.close(reader)
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        # It has ended, and nothing of it is left.
        pass
    _, status = os.waitpid(pid, 0)
    if said is not None:
        return said
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    declared = re.search(r"^ENDED_BY = (.*)$", source, re.MULTILINE)
    expected = declared is not None and number in ast.literal_eval(declared.group(1))
    return ["held" if expected else "error", "ended by signal %d" % number]


print(json.dumps({name: run(name, source) for name, source in PROBES.items()}))  # noqa: F821
