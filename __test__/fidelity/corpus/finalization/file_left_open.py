file = open("left_open.txt", "w")
file.write("content")
import atexit
import os

atexit.register(lambda: (file.flush(), print(os.path.getsize("left_open.txt")), os.remove("left_open.txt")))
