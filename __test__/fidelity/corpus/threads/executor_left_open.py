import concurrent.futures
import threading

main_has_printed = threading.Event()


def late():
    main_has_printed.wait()
    print("from the pool")


executor = concurrent.futures.ThreadPoolExecutor(2)
executor.submit(late)
print("main ends")
main_has_printed.set()
