import os

names = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if len(line.split(None, 5)) > 5}
print(sorted(name for name in names if "memfd" in name or "deleted" in name or "/tmp" in name))
