import multiprocessing
import sys


def bad(x):
    raise ValueError("bad %d" % x)


process = multiprocessing.get_context("fork").Process(target=bad, args=(3,), name="worker")
process.start()
process.join()
sys.exit(process.exitcode)
