import doctest


def f(x):
    """
    >>> f(1)
    2
    >>> f(2)
    4
    """
    return x + 1


print(doctest.testmod())
