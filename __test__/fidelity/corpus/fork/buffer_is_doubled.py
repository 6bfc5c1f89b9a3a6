import os

print("printed twice")
if os.fork():
    os.wait()
