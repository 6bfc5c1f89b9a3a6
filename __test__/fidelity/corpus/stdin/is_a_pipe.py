import fcntl
import os
import select
import stat

for fd in (0, 1, 2):
    mode = os.fstat(fd).st_mode
    print(fd, stat.S_ISFIFO(mode), stat.S_ISCHR(mode), os.isatty(fd), os.get_inheritable(fd))
print(fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK, fcntl.fcntl(0, fcntl.F_GETFL) & os.O_ACCMODE)
print(fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK, fcntl.fcntl(2, fcntl.F_GETFL) & os.O_NONBLOCK)
