"""Writes a line where the engine may keep it: its own output, and that of the first process."""

import sys

line = sys.argv[1]
print(line)
try:
    with open("/proc/1/fd/1", "w") as file:
        file.write(line + "\n")
except OSError:
    pass
