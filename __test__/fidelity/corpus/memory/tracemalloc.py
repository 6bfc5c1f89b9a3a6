import tracemalloc

print(tracemalloc.is_tracing())
tracemalloc.start()
items = [bytes(1000) for _ in range(10)]
print(tracemalloc.get_traced_memory()[0] > 10_000)
trace = tracemalloc.get_object_traceback(items[0])
print(trace)
