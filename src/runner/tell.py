"""What an interpreter tells beside its output, by a pipe of its own to process 1.

`spare.py` runs this when the job has come, with what stands behind it: `display.py` and `value.py` for one script,
`converse.py` for an interpreter that stays. It is given TOLD (that pipe) and `take` (which reads so many bytes of
stdin). The pool prepends lines that set SECRET, CWD (the working directory; None: the container's) and what the
parts behind it take.

A message is the secret, one byte of kind, four bytes of length, and the payload:

    d  display  a bundle: a list of types and data in turn, and a list of types and sizes of what was left out
    e  end      of a run: its exit code, one byte

The pipe is no process's that is started from here, and no fork's. What a script prints is not in it, then. Code
in this interpreter can do as this does.
"""

import _signal
import _thread
import os
import sys


def little(number):
    return number.to_bytes(4, "little")


class Line:
    def __init__(self, fd):
        self.fd = fd
        self.place = self.look()
        self.lock = _thread.allocate_lock()
        # While the main thread tells something, an interrupt waits: half a message is the end of the line.
        self.is_held = self.is_interrupted = False
        os.register_at_fork(after_in_child=self.leave)

    def look(self):
        status = os.fstat(self.fd)
        return status.st_dev, status.st_ino

    def is_there(self):
        """A script may have closed it, and its number may be another file's."""
        try:
            return self.fd is not None and self.look() == self.place
        except OSError:
            return False

    def leave(self):
        if self.is_there():
            os.close(self.fd)
        self.fd = None
        self.lock = _thread.allocate_lock()

    def tell(self, kind, payload):
        """Says whether it could."""
        is_main = _thread.get_ident() == MAIN
        if is_main:
            self.is_held = True
        try:
            with self.lock:
                message = memoryview(SECRET + kind + little(len(payload)) + payload)
                if not self.is_there():
                    return False
                while message:
                    message = message[os.write(self.fd, message) :]
                return True
        except OSError:
            return False
        finally:
            if is_main:
                self.is_held = False
                if self.is_interrupted:
                    self.is_interrupted = False
                    raise KeyboardInterrupt


def enter():
    """The working directory. As where a program is started: what is wrong with it is told, and the code is 126."""
    try:
        os.chdir(CWD)
    except OSError as error:
        os.write(2, CWD + b": " + error.strerror.encode() + b"\n")
        os._exit(126)


def feed(source):
    """Has the interpreter read that from stdin, which is at its end then."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        fits = os.write(writing, source) == len(source) if source else True
    except BlockingIOError:
        fits = False
    os.close(writing)
    if not fits:
        os.close(reading)
        reading = os.memfd_create("stdin")
        rest = memoryview(source)
        while rest:
            rest = rest[os.write(reading, rest) :]
        os.lseek(reading, 0, os.SEEK_SET)
    os.dup2(reading, 0)
    os.close(reading)


MAIN = _thread.get_ident()
line = Line(TOLD)
if CWD is not None:
    enter()
