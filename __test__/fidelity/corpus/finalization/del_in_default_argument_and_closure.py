class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("del", self.name)


def f(x=Thing("default")):
    pass


def outer():
    thing = Thing("closure")
    return lambda: thing


g = outer()
