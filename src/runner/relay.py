"""Relays what connects to the container's proxy over its own stdin and stdout.

Arguments: the port of the loopback to listen on, how many connections there may be at once, and perhaps a Unix
socket, to whose other end the one that listens is handed over: then nothing is relayed. Else each way go frames: the number of a connection (4 bytes, little-endian), a kind (1), and a count (4):

    L  it listens; the first one, of no connection
    O  a new connection
    D  so many bytes of it follow
    A  so many bytes of it have gone on their way: as many more may be sent
    E  no more bytes come of it from this side
    R  it is broken off

Of each connection WINDOW bytes each way may be sent that are not yet acknowledged, so one that nobody reads
from holds up no other. They are acknowledged by and by: each frame wakes up every process on its way.
"""

import fcntl
import os
import select
import socket
import struct
import sys

WINDOW = 512 << 10
# What is acknowledged at once. As much again is left until that comes.
ENOUGH = WINDOW // 2
# What is read and written at once, and what the pipes are to hold for that.
PIPE = 256 << 10
HEAD = struct.Struct("<IcI")
# To whom a socket is handed over, for an answer; s.
PATIENCE = 5
# As the module fcntl has it from Python 3.10 on.
F_SETPIPE_SZ = 1031


def hand_over(listener, path):
    """Sends a socket to the other end of a Unix socket; gives whether it has come."""
    with socket.socket(socket.AF_UNIX) as way:
        way.settimeout(PATIENCE)
        try:
            way.connect(path)
            rights = struct.pack("i", listener.fileno())
            way.sendmsg([b"L"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            return way.recv(1) == b"L"
        except OSError:
            return False


def widen(pipe):
    """Has a pipe hold more: four times as much as it does."""
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE)
    except OSError:
        # It is none here, or the kernel has given out all that there is for pipes: it is slower then.
        pass


class Said:
    """Frames that go out together."""

    def __init__(self):
        self.buffer = memoryview(bytearray(PIPE))
        self.end = 0

    def frame(self, number, kind, count=0):
        if self.end + HEAD.size > PIPE:
            self.flush()
        HEAD.pack_into(self.buffer, self.end, number, kind, count)
        self.end += HEAD.size

    def read(self, number, peer, most):
        """What a peer has to say; gives how many bytes that is."""
        if self.end > PIPE // 2:
            self.flush()
        begin = self.end + HEAD.size
        count = peer.recv_into(self.buffer[begin:], min(most, PIPE - begin))
        self.frame(number, b"D" if count else b"E", count)
        self.end += count
        return count

    def flush(self):
        rest = self.buffer[: self.end]
        while rest:
            rest = rest[os.write(1, rest) :]
        self.end = 0


class Connection:
    def __init__(self, number, peer, said):
        self.number, self.peer, self.said = number, peer, said
        self.credit = WINDOW
        self.out = bytearray()
        # Bytes that have gone on their way and are not yet acknowledged.
        self.gone = 0
        # Whether no more comes from the peer, and to it.
        self.heard = self.told = False

    def fileno(self):
        return self.peer.fileno()

    def wanted(self):
        reads = select.POLLIN if self.credit and not self.heard else 0
        return reads | (select.POLLOUT if self.out else 0)

    def read(self):
        count = self.said.read(self.number, self.peer, self.credit)
        self.credit -= count
        self.heard = not count

    def push(self, data):
        try:
            sent = 0 if self.out else self.send(data)
        except BlockingIOError:
            sent = 0
        self.out += data[sent:]

    def write(self):
        with memoryview(self.out) as data:
            sent = self.send(data)
        del self.out[:sent]
        self.finish()

    def send(self, data):
        sent = self.peer.send(data)
        self.gone += sent
        if self.gone >= ENOUGH:
            self.said.frame(self.number, b"A", self.gone)
            self.gone = 0
        return sent

    def finish(self):
        if self.told and not self.out:
            self.peer.shutdown(socket.SHUT_WR)

    def is_over(self):
        return self.heard and self.told and not self.out


class Relay:
    def __init__(self, port, most):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.listener.setblocking(False)
        self.most = most
        self.next = 0
        self.all = {}
        self.said = Said()
        self.buffer = memoryview(bytearray(PIPE))
        # The head of a frame that is under way; whose bytes follow, and how many.
        self.head = bytearray()
        self.number = self.left = 0

    def accept(self):
        peer, _ = self.listener.accept()
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next += 1
        connection = self.all[self.next] = Connection(self.next, peer, self.said)
        self.said.frame(self.next, b"O")
        # Most have something to say already.
        self.guard(connection, connection.read)

    def hear(self):
        count = os.readv(0, [self.buffer])
        if not count:
            # Whoever connects on its behalf is gone.
            os._exit(0)
        rest = self.buffer[:count]
        while rest:
            if self.left:
                data, rest = rest[: self.left], rest[self.left :]
                self.left -= len(data)
                self.pass_on(self.number, b"D", data)
                continue
            missing = HEAD.size - len(self.head)
            self.head += rest[:missing]
            rest = rest[missing:]
            if len(self.head) == HEAD.size:
                self.number, kind, count = HEAD.unpack(self.head)
                self.head.clear()
                if kind == b"D":
                    self.left = count
                else:
                    self.pass_on(self.number, kind, count)

    def pass_on(self, number, kind, what):
        connection = self.all.get(number)
        if connection is not None:
            self.guard(connection, self.take, connection, kind, what)

    def take(self, connection, kind, what):
        if kind == b"D":
            connection.push(what)
        elif kind == b"A":
            connection.credit += what
        elif kind == b"E":
            connection.told = True
            connection.finish()
        else:
            self.drop(connection)

    def guard(self, connection, work, *args):
        """Does something with a connection, which is dropped where it is over."""
        try:
            work(*args)
        except BlockingIOError:
            pass
        except OSError:
            self.said.frame(connection.number, b"R")
            self.drop(connection)
            return
        if connection.is_over():
            self.drop(connection)

    def drop(self, connection):
        if self.all.pop(connection.number, None) is None:
            return
        if not connection.is_over():
            # Its peer learns that this is not how it was to end.
            connection.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.peer.close()

    def run(self):
        for pipe in (0, 1):
            widen(pipe)
        self.said.frame(0, b"L")
        while True:
            self.said.flush()
            poll = select.poll()
            poll.register(0, select.POLLIN)
            if len(self.all) < self.most:
                poll.register(self.listener, select.POLLIN)
            by_number = {}
            for connection in self.all.values():
                # Of one that waits for this side's peer, its own end would be told again and again.
                if connection.wanted():
                    by_number[connection.fileno()] = connection
                    poll.register(connection, connection.wanted())
            for number, events in poll.poll():
                if number == 0:
                    self.hear()
                elif number == self.listener.fileno():
                    try:
                        self.accept()
                    except OSError:
                        pass
                else:
                    self.serve(by_number[number], events)

    def serve(self, connection, events):
        if connection.out and events & ~select.POLLIN:
            self.guard(connection, connection.write)
        is_there = connection.number in self.all
        if is_there and events & ~select.POLLOUT and connection.wanted() & select.POLLIN:
            self.guard(connection, connection.read)


relay = Relay(int(sys.argv[1]), int(sys.argv[2]))
if not any(hand_over(relay.listener, path) for path in sys.argv[3:]):
    relay.run()
