try:
    bytearray(1 << 60)
except MemoryError as error:
    print("caught", repr(error))
"x" * (1 << 61)
