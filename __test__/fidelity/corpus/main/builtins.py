import builtins

print([name for name in dir(builtins) if not name.startswith("__")])
