"""Sorts half a million numbers."""
import random

random.seed(7)
numbers = [random.randrange(1 << 30) for _ in range(500_000)]
numbers.sort()
print(numbers[0], numbers[len(numbers) // 2], numbers[-1])
