"""Relays what connects to the container's proxy over its own stdin and stdout.

Arguments: the port of the loopback to listen on, and how many connections there may be at once. Each way go
frames: the number of a connection (4 bytes, little-endian), a kind (1), a length (4), and that many bytes:

    L  it listens; the first one, of no connection
    O  a new connection
    D  bytes of it
    A  so many bytes of it (4 bytes) have gone on their way: as many more may be sent
    E  no more bytes come of it from this side
    R  it is broken off

Of each connection WINDOW bytes each way may be sent that are not yet acknowledged, so one that nobody reads
from holds up no other.
"""

import os
import select
import socket
import struct
import sys

WINDOW = 256 << 10
PIECE = 32 << 10
HEAD = struct.Struct("<IBI")
COUNT = struct.Struct("<I")


def send(number, kind, data=b""):
    rest = memoryview(HEAD.pack(number, ord(kind), len(data)) + data)
    while rest:
        rest = rest[os.write(1, rest) :]


class Connection:
    def __init__(self, number, peer):
        self.number, self.peer = number, peer
        self.credit = WINDOW
        self.out = bytearray()
        # Whether no more comes from the peer, and to it.
        self.heard = self.told = False

    def fileno(self):
        return self.peer.fileno()

    def wanted(self):
        reads = select.POLLIN if self.credit and not self.heard else 0
        return reads | (select.POLLOUT if self.out else 0)

    def read(self):
        data = self.peer.recv(min(self.credit, PIECE))
        self.credit -= len(data)
        self.heard = not data
        send(self.number, "D" if data else "E", data)

    def write(self):
        sent = self.peer.send(self.out)
        del self.out[:sent]
        send(self.number, "A", COUNT.pack(sent))
        self.finish()

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
        self.said = bytearray()

    def accept(self):
        peer, _ = self.listener.accept()
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next += 1
        self.all[self.next] = Connection(self.next, peer)
        send(self.next, "O")

    def hear(self):
        data = os.read(0, 64 << 10)
        if not data:
            # Whoever connects on its behalf is gone.
            os._exit(0)
        self.said += data
        while len(self.said) >= HEAD.size:
            number, kind, length = HEAD.unpack_from(self.said)
            if len(self.said) < HEAD.size + length:
                return
            body = bytes(self.said[HEAD.size : HEAD.size + length])
            del self.said[: HEAD.size + length]
            connection = self.all.get(number)
            if connection is not None:
                self.guard(connection, self.take, connection, chr(kind), body)

    def take(self, connection, kind, body):
        if kind == "D":
            connection.out += body
            connection.write()
        elif kind == "A":
            connection.credit += COUNT.unpack(body)[0]
        elif kind == "E":
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
            send(connection.number, "R")
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
        send(0, "L")
        while True:
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


Relay(int(sys.argv[1]), int(sys.argv[2])).run()
