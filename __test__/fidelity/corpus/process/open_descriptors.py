import os

print(sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1])
print(os.open("/dev/null", os.O_RDONLY))
