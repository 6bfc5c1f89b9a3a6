def outer(n):
    def inner(m):
        return [1, 2, 3][m]

    return inner(n)


class Thing:
    def method(self):
        return outer(7)


Thing().method()
