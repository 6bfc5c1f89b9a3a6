"""Reads what the engine hides of the kernel."""

from attempt import occupied, some

FILES = "/proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/latency_stats".split()
FOLDERS = "/proc/acpi /proc/scsi /sys/firmware /sys/devices/virtual/powercap".split()


def probe():
    found = []
    for path in FILES:
        try:
            with open(path, "rb") as file:
                if file.read(1):
                    found.append(path)
        except OSError:
            pass
    return some([*found, *occupied(FOLDERS)])
