print(sorted(globals()))
print(sorted(locals()) == sorted(globals()), dir())
