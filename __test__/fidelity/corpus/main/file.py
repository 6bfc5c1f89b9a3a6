# The real one sets it, unlike `-c` and against what its documentation leads one to expect.
print("__file__" in globals(), "__cached__" in globals())
print(__file__)
print(__path__)
