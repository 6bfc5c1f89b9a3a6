import time

print(time.strftime("%c|%x|%X|%p|%A|%B", time.gmtime(0)))
print(time.strftime("é %Y ☃", time.gmtime(0)))
