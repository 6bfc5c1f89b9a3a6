import os
import sys

print("flushed first")
sys.stdout.flush()
os.execvp("sh", ["sh", "-c", "echo now a shell $0 $1; exit 17", "zero", "one"])
