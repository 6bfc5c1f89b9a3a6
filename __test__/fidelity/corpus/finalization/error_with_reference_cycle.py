class Thing:
    def __del__(self):
        print("del")


def f():
    thing = Thing()
    raise ValueError("holds the frame")


f()
