import os
import signal

seen = []
signal.signal(signal.SIGCHLD, lambda number, frame: seen.append(number))
pid = os.fork()
if pid == 0:
    os._exit(3)
print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
print(seen == [signal.SIGCHLD])
