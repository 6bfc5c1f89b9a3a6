import atexit

before = atexit._ncallbacks()
atexit.register(print, "never")
print(atexit._ncallbacks() - before)
atexit.unregister(print)
atexit.register(lambda: print("end"))
