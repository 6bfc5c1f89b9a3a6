def level(n):
    try:
        if n == 0:
            raise KeyError("bottom")
        level(n - 1)
    except Exception as error:
        if n % 2:
            raise ValueError("level %d" % n) from error
        raise TypeError("level %d" % n)


level(5)
