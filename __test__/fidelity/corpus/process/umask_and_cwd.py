import os

mask = os.umask(0)
print(oct(mask), os.getcwd(), os.listdir("/proc/self/cwd") is not None)
