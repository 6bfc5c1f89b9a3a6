"""A UNIX socket in /tmp, with a file passed over it."""
import array
import os
import socket
import tempfile

with tempfile.TemporaryDirectory() as folder:
    server = socket.socket(socket.AF_UNIX)
    server.bind(folder + "/socket")
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(folder + "/socket")
    line, _ = server.accept()
    reader, writer = os.pipe()
    os.write(writer, b"through a passed file")
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reader]))
    client.sendmsg([b"x"], [rights])
    _, passed, _, _ = line.recvmsg(1, socket.CMSG_SPACE(4))
    fd = array.array("i", passed[0][2])[0]
    print(os.read(fd, 100))
