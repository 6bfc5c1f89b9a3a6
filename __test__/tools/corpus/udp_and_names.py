"""Datagrams on the loopback, and names that need no network."""
import socket

print(sorted({entry[4][0] for entry in socket.getaddrinfo("127.0.0.1", 80)}))
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.sendto(b"datagram", receiver.getsockname())
print(receiver.recvfrom(100)[0], socket.inet_ntop(socket.AF_INET6, b"\0" * 15 + b"\1"))
print([name for _, name in socket.if_nameindex()])
