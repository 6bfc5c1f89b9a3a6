import socket

print([name for _, name in socket.if_nameindex()])
try:
    socket.create_connection(("192.0.2.1", 80), 2)
except OSError as error:
    print(error)
try:
    socket.getaddrinfo("example.com", 80)
except OSError as error:
    print(type(error).__name__)
