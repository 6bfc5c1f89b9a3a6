"""Process 1 of a pod: writes nothing, and ends when it is told to, or has not heard for too long that it is to go on."""
import _signal as signal
import posix
import select

# Orphans are collected by the kernel then.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_DFL)
# As the kubelet asks first; process 1 is not touched by what it leaves at the default.
signal.signal(signal.SIGTERM, lambda number, frame: posix._exit(0))
poll = select.poll()
poll.register(0, select.POLLIN)
while poll.poll(SILENCE):
    heard = posix.read(0, 4096)
    if not heard or FAREWELL in heard:
        break
