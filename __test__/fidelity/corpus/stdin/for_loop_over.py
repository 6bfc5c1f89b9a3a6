import sys

for line in sys.stdin:
    print("a line?", line)
else:
    print("no lines")
