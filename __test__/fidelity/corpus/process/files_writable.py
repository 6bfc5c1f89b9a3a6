import os

for path in ("/tmp", "/dev/shm", "/", "/usr", "/etc", "/proc/sys", "/home", "/var/tmp"):
    try:
        with open(path + "/probe", "w") as file:
            file.write("x")
        os.remove(path + "/probe")
        print(path, "writable")
    except OSError as error:
        print(path, error.strerror)
