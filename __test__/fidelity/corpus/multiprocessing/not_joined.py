import multiprocessing
import sys
import time


def late():
    time.sleep(0.2)
    print("the child is waited for")


multiprocessing.get_context("fork").Process(target=late).start()
print("main ends")
sys.stdout.flush()
