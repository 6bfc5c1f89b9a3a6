import sys

error = ValueError("noted")
if sys.version_info >= (3, 11):
    error.add_note("first note")
    error.add_note("second\nnote")
    raise ExceptionGroup("several", [error, TypeError("other"), KeyError("k")])
raise error
