block = bytearray(b"x") * (70 << 20)
print(len(block), block[-1])
