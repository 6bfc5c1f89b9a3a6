import functools
import re


class Thing(str):
    def __del__(self, write=__import__("os").write):
        write(1, b"del\n")


@functools.lru_cache(None)
def cached(x):
    return Thing("value")


cached(1)
re.compile(Thing("a+"))
