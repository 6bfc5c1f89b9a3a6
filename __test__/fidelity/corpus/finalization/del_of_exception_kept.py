kept = None


class Thing:
    def __del__(self):
        print("del")


def f():
    thing = Thing()
    raise ValueError


try:
    f()
except ValueError as error:
    kept = error
