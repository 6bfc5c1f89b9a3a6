import inspect

frame = inspect.currentframe()
try:
    print(inspect.getframeinfo(frame))
    print(inspect.getsource(frame))
except OSError as error:
    print(error)
