import atexit

atexit.register(print, "handler")
raise ValueError("uncaught")
