"""Mounts a /proc of its own, in which nothing is masked."""

from attempt import mount_at


def probe():
    return mount_at("/dev/shm/proc", "proc")
