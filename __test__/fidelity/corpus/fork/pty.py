import os
import pty

pid, fd = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "tty >/dev/null && echo a terminal"])
print(os.read(fd, 100))
os.waitpid(pid, 0)
