import builtins
import sys


class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self, write=__import__("os").write):
        write(1, b"del %s\n" % self.name.encode())


sys.mine = Thing("in sys")
builtins.mine = Thing("in builtins")
sys.modules["mine"] = Thing("in sys.modules")
