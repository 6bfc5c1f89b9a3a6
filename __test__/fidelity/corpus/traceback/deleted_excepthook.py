import sys

del sys.excepthook
raise LookupError("no hook")
