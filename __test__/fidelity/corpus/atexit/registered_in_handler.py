import atexit


def first():
    print("first")
    atexit.register(print, "second")


atexit.register(first)
