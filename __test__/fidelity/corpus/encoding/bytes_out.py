import sys

sys.stdout.buffer.write(bytes(range(256)))
sys.stderr.buffer.write(bytes(range(255, -1, -1)))
