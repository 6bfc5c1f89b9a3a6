import linecache

print(repr(linecache.getline("<stdin>", 1)), linecache.getlines("<stdin>"))
print("<stdin>" in linecache.cache)
