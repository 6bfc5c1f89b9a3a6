import sys

module = sys.modules.get("sitecustomize")
print(getattr(module, "__file__", None), sorted(getattr(module, "__dict__", {})))
