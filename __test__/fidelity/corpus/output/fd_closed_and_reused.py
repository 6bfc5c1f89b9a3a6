import os

print("lost?")
os.close(2)
fd = os.open("/dev/null", os.O_WRONLY)
print(fd)
raise ValueError("into /dev/null")
