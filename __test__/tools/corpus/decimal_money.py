"""Exact decimal numbers."""
from decimal import ROUND_HALF_EVEN, Decimal, getcontext

getcontext().prec = 50
print(Decimal(2).sqrt(), Decimal(1) / Decimal(7))
print(sum([Decimal("0.1")] * 10), Decimal("2.675").quantize(Decimal("0.01"), ROUND_HALF_EVEN))
