"""A program on a terminal of its own."""
import os
import pty

pid, terminal = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "test -t 0 && echo a terminal"])
output = b""
while True:
    try:
        piece = os.read(terminal, 1024)
    except OSError:
        break
    if not piece:
        break
    output += piece
os.waitpid(pid, 0)
print(output.decode().strip())
