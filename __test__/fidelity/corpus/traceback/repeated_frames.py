def down(n):
    if n == 0:
        raise ValueError("the bottom")
    down(n - 1)


down(30)
