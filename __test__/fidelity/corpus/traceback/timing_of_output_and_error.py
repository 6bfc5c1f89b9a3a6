import sys

print("to stdout, buffered")
print("to stderr", file=sys.stderr)
sys.stdout.flush()
print("later to stdout, unflushed")
raise SystemError("and the end")
