values = (1 // x for x in (1, 0))
apply = lambda items: [item for item in items]
print(sorted(map(lambda x: x, [3, 1])))
apply(values)
