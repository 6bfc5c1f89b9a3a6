def walk(n):
    if n:
        yield n
        yield from walk(n - 1)


print(sum(walk(300)))
