import importlib
import sys

try:
    importlib.reload(sys.modules["__main__"])
except Exception as error:
    print(type(error).__name__, error)
