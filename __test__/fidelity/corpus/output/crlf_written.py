import sys

sys.stdout.write("a\r\nb\rc\n")
print("d", end="\r\n")
