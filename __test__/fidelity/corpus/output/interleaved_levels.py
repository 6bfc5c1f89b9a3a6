import os
import sys

print("buffered 1")
sys.stdout.buffer.write(b"buffered 2\n")
os.write(1, b"direct\n")
sys.stdout.buffer.raw.write(b"raw\n")
sys.stderr.write("partial")
os.write(2, b" direct")
