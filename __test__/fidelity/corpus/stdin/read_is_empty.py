import sys

print(repr(sys.stdin.read()), repr(sys.stdin.readline()), sys.stdin.readlines())
print(list(sys.stdin), sys.stdin.buffer.read(), sys.stdin.buffer.raw.read())
