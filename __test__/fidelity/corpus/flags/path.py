import sys

print(sys.path, sys.path[0] == "")
print(sys.meta_path, sys.path_hooks[0])
