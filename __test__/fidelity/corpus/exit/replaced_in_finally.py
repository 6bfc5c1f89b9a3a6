import sys

try:
    sys.exit(5)
finally:
    raise ValueError("instead")
