import inspect


def f():
    pass


class C:
    pass


for thing in (f, C):
    for get in (inspect.getsource, inspect.getfile, inspect.getsourcefile, inspect.getsourcelines):
        try:
            print(get(thing))
        except Exception as error:
            print(get.__name__, type(error).__name__, error)
print(inspect.getmodule(f), inspect.getmodulename("<stdin>"), inspect.signature(f))
