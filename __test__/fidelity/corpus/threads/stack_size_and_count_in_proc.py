import os
import threading

print(threading.stack_size(), len(os.listdir("/proc/self/task")))
event = threading.Event()
threading.Thread(target=event.wait).start()
print(len(os.listdir("/proc/self/task")))
event.set()
