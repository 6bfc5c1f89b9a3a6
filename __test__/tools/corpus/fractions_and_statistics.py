"""Numbers as a scientist has them."""
import math
import statistics
from fractions import Fraction

print(sum((Fraction(1, n) for n in range(1, 20)), Fraction()))
values = [2.5, 3.25, 5.5, 11.25, 11.5]
print(statistics.mean(values), statistics.stdev(values), statistics.median(values))
print(math.comb(50, 25), math.isqrt(10**40), math.gamma(5.5))
