import sys

sys.stdout.write("b" * 8191)
sys.stdout.write("c" * 3)
