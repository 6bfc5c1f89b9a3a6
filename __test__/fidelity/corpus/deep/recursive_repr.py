items = []
items.append(items)
print(items)
nested = None
for _ in range(100_000):
    nested = [nested]
try:
    repr(nested)
except RecursionError as error:
    print(error)
