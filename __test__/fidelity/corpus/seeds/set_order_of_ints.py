print({5, 1, 3}, set(range(20)), frozenset([2, 1]), dict.fromkeys("hello"))
