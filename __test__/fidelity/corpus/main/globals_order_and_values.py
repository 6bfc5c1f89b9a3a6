for name, value in list(globals().items()):
    if name == "__loader__":
        value = getattr(value, "__name__", type(value).__name__)
    print(name, repr(value))
