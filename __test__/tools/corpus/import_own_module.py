"""Writes a package to /tmp and imports it."""
import importlib
import os
import sys
import tempfile

with tempfile.TemporaryDirectory() as folder:
    os.mkdir(folder + "/package")
    with open(folder + "/package/__init__.py", "w") as file:
        file.write("from .part import answer\n")
    with open(folder + "/package/part.py", "w") as file:
        file.write("answer = 6 * 7\n")
    sys.path.insert(0, folder)
    print(importlib.import_module("package").answer)
