import sys

print(sys.argv, len(sys.argv), getattr(sys, "orig_argv", None) and sys.orig_argv[1:])
