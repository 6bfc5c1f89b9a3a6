import sys


class Finder:
    seen = []

    def find_spec(self, name, path, target=None):
        self.seen.append(name)


sys.meta_path.insert(0, Finder())
import colorsys

try:
    import surely_not_there
except ImportError:
    pass
print(Finder.seen)
