#: env {"PYTHONOPTIMIZE": "2"}
#: cold true
"""A docstring."""
import sys

assert False
print(sys.flags, __debug__, __doc__)
