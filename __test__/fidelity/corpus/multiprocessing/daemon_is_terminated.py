import multiprocessing
import time

process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
process.start()
print(process.daemon, process.is_alive())
