"""Writes output without end."""

import os

print("begun", flush=True)
while True:
    os.write(1, b"x" * 65536)
