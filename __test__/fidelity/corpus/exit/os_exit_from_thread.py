import os
import threading

print("lost")
threading.Thread(target=lambda: os._exit(9)).start()
threading.Event().wait()
