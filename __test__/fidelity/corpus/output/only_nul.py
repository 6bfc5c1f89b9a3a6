import sys

sys.stdout.write("\0" * 1000)
sys.stderr.write("\0")
