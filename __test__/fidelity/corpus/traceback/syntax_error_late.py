import sys

for i in range(3):
    sys.stdout.write("never printed")


def g():
    nonlocal missing
