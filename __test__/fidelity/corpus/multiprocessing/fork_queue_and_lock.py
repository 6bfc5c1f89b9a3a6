import multiprocessing

context = multiprocessing.get_context("fork")


def work(queue, lock, value):
    with lock:
        value.value += 1
    queue.put(value.value > 0)


queue, lock, value = context.Queue(), context.Lock(), context.Value("i", 0)
processes = [context.Process(target=work, args=(queue, lock, value)) for _ in range(3)]
for process in processes:
    process.start()
print([queue.get() for _ in processes])
for process in processes:
    process.join()
print(value.value)
