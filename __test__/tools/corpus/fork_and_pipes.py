"""Processes made by hand, with pipes between them."""
import os

reader, writer = os.pipe()
children = []
for number in range(5):
    pid = os.fork()
    if pid == 0:
        os.write(writer, b"%d\n" % (number * number))
        os._exit(number)
    children.append(pid)
os.close(writer)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
with os.fdopen(reader) as file:
    print(sorted(map(int, file)), codes)
