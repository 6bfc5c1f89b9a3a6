import pickle


def f(x):
    return x + 1


class Point:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x


print(pickle.loads(pickle.dumps(f)) is f, pickle.dumps(f, 0))
print(pickle.loads(pickle.dumps(Point(3))) == Point(3), pickle.dumps(Point(3), 0))
