import sys

print(1, 2, 3, sep="-", end="!\n", file=sys.stderr, flush=True)
print(*range(5), sep="\n")
print(b"bytes", None, 1.0, [1], {"a": 1})
