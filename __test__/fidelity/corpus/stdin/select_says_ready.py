import select

ready, _, _ = select.select([0], [], [], 5)
print(ready)
poller = select.poll()
poller.register(0, select.POLLIN)
print([(fd, bool(event & select.POLLHUP)) for fd, event in poller.poll(5000)])
