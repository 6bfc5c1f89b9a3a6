import traceback


def f():
    traceback.print_stack()
    print(traceback.extract_stack())


f()
