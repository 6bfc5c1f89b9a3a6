import sitecustomize

print(sitecustomize.__name__, getattr(sitecustomize, "__file__", None))
