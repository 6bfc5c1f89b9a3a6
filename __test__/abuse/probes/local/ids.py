"""Looks whether it is, or could become, a user whom somebody else on the machine may be, too."""

from attempt import some

# The first one of the launcher's ranges.
FIRST = 0x40000000


def probe():
    with open("/proc/self/uid_map") as file:
        return some(line.split()[1] for line in file if int(line.split()[1]) < FIRST)
