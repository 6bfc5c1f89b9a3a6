import os
import sys

pid = os.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "echo child; exit 3"])
print(os.waitpid(pid, 0)[1] >> 8)
