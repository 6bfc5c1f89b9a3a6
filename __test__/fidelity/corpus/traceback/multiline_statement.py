def f(*args):
    raise ValueError(args)


f(
    1,
    2,
    f.__name__ + (
        "x"
    ),
)
