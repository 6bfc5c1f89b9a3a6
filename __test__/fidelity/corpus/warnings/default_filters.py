import warnings

for entry in warnings.filters:
    print(entry[0], entry[1], entry[2].__name__, entry[3], entry[4])
print(__import__("sys").warnoptions)
