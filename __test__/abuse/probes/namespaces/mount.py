"""Mounts a file system."""

from attempt import mount_at


def probe():
    return mount_at("/tmp/mounted", "tmpfs")
