import fileinput

print([line for line in fileinput.input(files=["-"])])
