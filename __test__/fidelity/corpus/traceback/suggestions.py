import collections


def f():
    wonderful = 1
    return wonderfull


try:
    f()
except NameError:
    import traceback

    traceback.print_exc()
collections.namedtupel
