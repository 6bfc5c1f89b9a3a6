"""A pool of processes."""
import multiprocessing


def collatz(number):
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool:
        print(pool.map(collatz, range(1, 40)))
        print(sum(pool.imap_unordered(collatz, range(1, 500), chunksize=50)))
