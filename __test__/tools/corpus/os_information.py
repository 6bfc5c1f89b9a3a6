"""What a script may ask of its system."""
import os
import platform
import resource
import time

print(platform.system(), os.cpu_count() > 0, os.getpid() > 1, os.getcwd() != "")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0, os.times().elapsed > 0)
print(time.clock_getres(time.CLOCK_MONOTONIC) < 1, len(os.urandom(16)), os.sched_getaffinity(0) != set())
print(os.path.exists("/proc/meminfo"), len(os.uname()), os.umask(0o22) == 0o22)
