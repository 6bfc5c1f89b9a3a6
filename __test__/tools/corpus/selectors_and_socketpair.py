"""Waits for several sockets at once."""
import selectors
import socket

selector = selectors.DefaultSelector()
pairs = [socket.socketpair() for _ in range(3)]
for number, (ours, theirs) in enumerate(pairs):
    selector.register(ours, selectors.EVENT_READ, number)
    theirs.sendall(b"%d" % number)
print(type(selector).__name__, sorted(key.data for key, _ in selector.select(5)))
for pair in pairs:
    for end in pair:
        end.close()
