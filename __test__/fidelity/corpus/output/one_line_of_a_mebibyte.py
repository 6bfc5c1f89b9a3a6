print("a" * (1 << 20))
