"""A manager, queues and locks between processes."""
import multiprocessing


def work(queue, lock, shared, number):
    with lock:
        shared[number] = number**3
    queue.put(number)


if __name__ == "__main__":
    queue, lock = multiprocessing.Queue(), multiprocessing.Lock()
    with multiprocessing.Manager() as manager:
        shared = manager.dict()
        processes = [
            multiprocessing.Process(target=work, args=(queue, lock, shared, n)) for n in range(4)
        ]
        for process in processes:
            process.start()
        numbers = sorted(queue.get() for _ in processes)
        for process in processes:
            process.join()
        print(numbers, sorted(shared.items()), [process.exitcode for process in processes])
