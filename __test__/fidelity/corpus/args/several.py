#: args ["one", "two three", ""]
import sys

print(sys.argv)
print(getattr(sys, "orig_argv", None) and sys.orig_argv[1:])
