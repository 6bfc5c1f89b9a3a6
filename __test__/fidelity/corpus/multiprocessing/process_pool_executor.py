import concurrent.futures
import multiprocessing


def cube(x):
    return x**3


context = multiprocessing.get_context("fork")
with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
    print(list(executor.map(cube, range(5))))
    future = executor.submit(divmod, 1, 0)
    print(repr(future.exception()))
