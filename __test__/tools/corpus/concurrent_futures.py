"""Executors of threads and of processes."""
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


def square(number):
    return number * number


if __name__ == "__main__":
    for kind in (ThreadPoolExecutor, ProcessPoolExecutor):
        with kind(max_workers=3) as executor:
            print(kind.__name__, list(executor.map(square, range(8))))
