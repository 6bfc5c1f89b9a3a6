with open("/dev/stdin") as file:
    print(repr(file.read()))
with open("/proc/self/fd/0", "rb") as file:
    print(file.read())
