import gc

class Node:
    pass


a, b = Node(), Node()
a.b, b.a = b, a
del a, b
gc.disable()
print(gc.isenabled(), gc.collect() >= 2, gc.collect(), gc.garbage)
