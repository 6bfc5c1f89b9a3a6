#: args ["-c", "-m", "--", "-V", "--help", "-", "-I"]
import sys

print(sys.argv, sys.flags)
