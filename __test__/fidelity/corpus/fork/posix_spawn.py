import os
import sys

sys.stdout.flush()
pid = os.posix_spawn("/bin/sh", ["sh", "-c", "echo spawned $X; exit 4"], {"X": "y"})
print(os.waitpid(pid, 0)[1] >> 8)
