import multiprocessing
import os
import sys

context = multiprocessing.get_context("fork")


def fails():
    sys.exit(3)


def dies():
    os.kill(os.getpid(), 9)


for target in (fails, dies, print):
    process = context.Process(target=target)
    process.start()
    process.join()
    print(process.exitcode)
    sys.stdout.flush()
