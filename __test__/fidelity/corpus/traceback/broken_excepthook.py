import sys


def hook(kind, value, tb):
    raise RuntimeError("the hook is broken")


sys.excepthook = hook
raise LookupError("for the hook")
