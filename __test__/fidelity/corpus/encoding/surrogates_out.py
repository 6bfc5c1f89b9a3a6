import sys

sys.stdout.write("before\n")
print(ascii("\udc80"))
try:
    print("\udc80 escaped byte")
except UnicodeEncodeError as error:
    print(error)
try:
    print("\ud800")
except UnicodeEncodeError as error:
    print(error)
print("\udcff", file=sys.stderr)
