import os
import sys

sys.stdout.flush()
pid = os.fork()
if pid == 0:
    print("child")
    sys.exit(7)
print("parent", os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
