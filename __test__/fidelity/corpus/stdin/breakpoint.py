def f(a):
    breakpoint()
    return a


f(1)
