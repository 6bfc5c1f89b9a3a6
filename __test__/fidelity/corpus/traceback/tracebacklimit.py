import sys


def f(n):
    if n:
        f(n - 1)
    raise ValueError(n)


sys.tracebacklimit = 2
f(5)
