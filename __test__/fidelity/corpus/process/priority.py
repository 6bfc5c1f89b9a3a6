import os

print(os.getpriority(os.PRIO_PROCESS, 0), os.nice(0), os.sched_getscheduler(0))
print(os.sched_getaffinity(0) == set(range(os.cpu_count())))
