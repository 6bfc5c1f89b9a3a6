import warnings

warnings.simplefilter("always")


def f():
    file = open("/dev/null")
    file.fileno()


f()
print("end")
