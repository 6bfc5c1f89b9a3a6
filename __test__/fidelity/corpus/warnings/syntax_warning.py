x = 3
print(x is 3, "\d")
assert (x, "always true")
