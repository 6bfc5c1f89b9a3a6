import math
import multiprocessing

del __file__

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(math.factorial, [3, 4, 5]))
