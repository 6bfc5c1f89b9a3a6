"""Plants links out of the working directory, in places of files and of a folder."""

import os

os.symlink("/etc/passwd", "file")
os.symlink("/proc/1/environ", "environment")
os.symlink("/etc", "folder")
os.symlink("/dev/shm", "shared")
os.symlink("/dev/shm/file", "report")
