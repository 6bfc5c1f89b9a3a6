import sys

for i in range(3_000):
    print("out", i, "y" * 50)
    print("err", i, "z" * 50, file=sys.stderr)
