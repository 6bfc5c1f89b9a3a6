'use strict';

/*
 * What a script that looks for the warm interpreter can see of it: each with the reason why it
 * can't be otherwise, or is not worth its price, and with the test of what is promised instead.
 */

/** The lines of stdout. */
const lines = ({ stdout }) => stdout.split('\n').slice(0, -1);
const fine = (...results) => {
  for (const { stderr, exitCode } of results)
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
};

module.exports = [
  {
    name: 'parent process',
    why: 'An exec has its parent outside the container (0); a warm script is a child of PID 1.',
    script: 'import os\nprint(os.getppid())\n',
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(real)).toEqual(['0']);
      expect(lines(warm)).toEqual(['1']);
    },
  },
  {
    name: 'other processes',
    why: 'PID 1 is the supervisor, where the exec sees whatever keeps its container up.',
    script: `
import os
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
print([pid for pid in pids if pid not in (1, os.getpid())])
`,
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(warm)).toEqual(['[]']);
      expect(lines(real)).toEqual(['[]']);
    },
  },
  {
    name: 'command line in /proc',
    why: 'The interpreter is started before its arguments are known. `sys.argv` has them.',
    script: `
import sys
print(open("/proc/self/cmdline").read().split("\\0"))
print(sys.argv, getattr(sys, "orig_argv", None))
`,
    settings: { args: ['one', 'two'] },
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(real)[0]).toBe("['python3', '-', 'one', 'two', '']");
      expect(lines(warm)[0]).toBe("['python3', '-', '']");
      expect(lines(warm)[1]).toEqual(lines(real)[1]);
    },
  },
  {
    name: 'environment in /proc',
    why:
      'The kernel shows the environment a process was started with, which is older than the job. ' +
      '`os.environ`, `getenv` and every child have the right one.',
    script: `
import os, subprocess
names = [entry.split(b"=")[0] for entry in open("/proc/self/environ", "rb").read().split(b"\\0")]
print(b"JOB" in names, b"PYTHONPATH" in names)
child = subprocess.check_output(["cat", "/proc/self/environ"])
print(sorted(child.split(b"\\0")) == sorted(k + b"=" + v for k, v in os.environb.items()) + [b""]
      or sorted(child.split(b"\\0"))[1:] == sorted(k + b"=" + v for k, v in os.environb.items()))
`,
    settings: { env: { JOB: 'x' } },
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(real)).toEqual(['True False', 'True']);
      expect(lines(warm)).toEqual(['False True', 'True']);
    },
  },
  {
    name: 'modules already imported',
    why:
      '`json` and `traceback` are imported ahead, because every tool call imports them; `atexit` ' +
      'and `gc` are what the waiting interpreter itself needs.',
    script: `
import sys
before = set(sys.modules)
import json, traceback, atexit, gc
print(sorted(before))
print(sorted(sys.modules))
`,
    promise({ real, warm }) {
      fine(real, warm);
      const list = (line) => JSON.parse(line.replaceAll("'", '"'));
      const [before, after] = lines(real).map(list);
      const [ahead, all] = lines(warm).map(list);
      expect(all).toEqual(after);
      expect(ahead).toEqual(expect.arrayContaining(before));
    },
  },
  {
    name: 'a file of the name of a module already imported',
    why: 'As with `os`, `re` or any other module that is there already, the library wins.',
    script: `
import os
for name in ("json", "colorsys"):
    with open(name + ".py", "w") as file:
        file.write("NAME = 'of the script'\\n")
import json, colorsys
print(hasattr(json, "NAME"), hasattr(colorsys, "NAME"))
`,
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(real)).toEqual(['True True']);
      expect(lines(warm)).toEqual(['False True']);
    },
  },
  {
    name: 'classes of modules already imported',
    why:
      'The same: `object.__subclasses__()` lists what they define, and `ast.AST`, which the ' +
      'compilation of the site phase brings along. In a fork of a template also those by which it has ' +
      'come: of `ctypes`, `_socket`, `select` and `struct`.',
    script: `
def classes():
    return {kind.__module__ + "." + kind.__qualname__
            for kind in object.__subclasses__() + Exception.__subclasses__()}
before = classes()
import json, traceback, atexit, gc
print(sorted(classes()))
`,
    promise({ real, warm, forked }) {
      fine(real, warm);
      const brought = forked
        ? /^(ast\.AST$|_?ctypes\.|_socket\.|select\.|_?struct\.|builtins\.CArgObject$)/
        : /^ast\.AST$/;
      const list = ({ stdout }) =>
        JSON.parse(stdout.replaceAll("'", '"')).filter((name) => !brought.test(name));
      expect(list(warm)).toEqual(list(real));
    },
  },
  {
    name: 'objects older than the script, to the garbage collector',
    why:
      'They are frozen (`gc.freeze`), so that the collections at the end need not walk them: half ' +
      'of the time of a small script. What the script makes is collected as ever, and its ' +
      'globals are not among the frozen.',
    script: `
import gc
print(gc.get_freeze_count() > 0)
class Node: pass
node = Node()
node.me = node
print(any(each is node for each in gc.get_objects()), any(each is globals() for each in gc.get_objects()))
del node
gc.disable()
print(gc.collect() > 0, gc.collect())
gc.unfreeze()
print(gc.get_freeze_count(), any(each is gc.__dict__ for each in gc.get_objects()))
`,
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(real)[0]).toBe('False');
      expect(lines(warm)[0]).toBe('True');
      expect(lines(warm).slice(1)).toEqual(lines(real).slice(1));
    },
  },
  {
    name: 'modules older than the script that it throws out',
    why: 'They are frozen too, and freed at the end, or when the script thaws them.',
    script: `
import gc, json, sys, weakref
refs = [weakref.ref(json.decoder), weakref.ref(json.JSONDecoder)]
for name in [name for name in sys.modules if name.startswith("json")]:
    del sys.modules[name]
del json
gc.unfreeze()
gc.collect()
print([ref() is None for ref in refs])
`,
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(warm)).toEqual(lines(real));
    },
  },
  {
    name: 'order of finalization among objects that only a collection frees',
    why:
      'It follows the order in which the collector has come to know them, which is another where ' +
      'modules are imported ahead. All are finalized.',
    script: `
import json, os, re
class Thing:
    def __init__(self, name):
        self.name = name
    def __del__(self, write=os.write):
        write(1, self.name.encode() + b"\\n")
json.mine = Thing("module")
json.JSONDecoder.mine = Thing("class")
re.Scanner.mine = Thing("other class")
Thing.one = Thing("own class")
`,
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(real)).toHaveLength(4);
      expect(lines(warm).sort()).toEqual(lines(real).sort());
    },
  },
  {
    name: 'count of functions to be called at exit',
    why: 'One of them is ours: it has the collector reach everything again, if that can be seen.',
    script: `
import atexit
before = atexit._ncallbacks()
atexit.register(print, "mine")
print(before, atexit._ncallbacks() - before)
`,
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(real)).toEqual(['0 1', 'mine']);
      expect(lines(warm)[0]).toMatch(/^[01] 1$/);
      expect(lines(warm)[1]).toBe('mine');
    },
  },
  {
    name: 'order in which memory runs out',
    why: 'A script is the first to go when the container is out of memory, never its supervisor.',
    script: 'print(open("/proc/self/oom_score_adj").read().strip())\n',
    promise({ real, warm }) {
      fine(real, warm);
      expect(Number(lines(warm)[0])).toBeGreaterThanOrEqual(Number(lines(real)[0]));
    },
  },
  {
    name: 'time used so far',
    why: 'The interpreter started before its script came.',
    script: `
import resource, time
print(time.process_time() < 1, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 64 << 10)
`,
    promise({ real, warm }) {
      fine(real, warm);
      expect(lines(warm)).toEqual(['True True']);
      expect(lines(real)).toEqual(['True True']);
    },
  },
  {
    name: 'output of a process that outlives the script',
    why:
      'The engine waits for whoever holds the streams; the result of a warm script is complete ' +
      'at the end of the script itself, with all that was written until then.',
    script: `
import os, sys, time
print("before")
sys.stdout.flush()
if os.fork() == 0:
    os.setsid()
    time.sleep(1)
    os.write(1, b"after\\n")
    os._exit(0)
`,
    promise({ warm }) {
      fine(warm);
      expect(lines(warm)).toEqual(['before']);
    },
  },
];
