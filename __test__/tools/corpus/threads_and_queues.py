"""Threads, queues, events and locals."""
import queue
import threading

jobs, results = queue.Queue(), []
lock, ready = threading.Lock(), threading.Event()


def worker():
    ready.wait()
    while True:
        number = jobs.get()
        if number is None:
            return
        with lock:
            results.append(number * 2)


threads = [threading.Thread(target=worker) for _ in range(8)]
for thread in threads:
    thread.start()
for number in range(100):
    jobs.put(number)
for _ in threads:
    jobs.put(None)
ready.set()
for thread in threads:
    thread.join()
print(sorted(results) == list(range(0, 200, 2)), threading.active_count())
