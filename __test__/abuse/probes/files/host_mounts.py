"""Looks for folders of the host. The engine gives three files about the network."""

from attempt import some

GIVEN = ("/", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf")
OWN = "overlay proc tmpfs devpts sysfs cgroup cgroup2 mqueue".split()


def probe():
    with open("/proc/self/mountinfo") as file:
        mounts = [line.split(" - ") for line in file]
    places = [(mount.split()[4], kind.split()[0]) for mount, kind in mounts]
    return some([place for place, kind in places if place not in GIVEN and kind not in OWN])
