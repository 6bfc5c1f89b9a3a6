"""Process 1 of a pod: writes nothing, and ends with its stdin, or when that has been silent for too long."""
import _signal as signal
import posix
import select

# Orphans are collected by the kernel then.
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_DFL)
poll = select.poll()
poll.register(0, select.POLLIN)
while poll.poll(SILENCE) and posix.read(0, 4096):
    pass
