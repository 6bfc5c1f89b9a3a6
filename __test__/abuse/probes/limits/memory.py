"""Fills twice the memory that it may have."""

ENDED_BY = (9,)


def probe():
    pieces = []
    for _ in range(256):
        pieces.append(bytearray(b"x") * (1 << 20))
    return "256 MiB"
