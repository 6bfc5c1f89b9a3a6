import time

start = time.monotonic()
time.sleep(0.05)
print(0.05 <= time.monotonic() - start < 2, time.time() > 1.6e9, time.process_time() < 5, time.perf_counter() > 0)
