"""Objects kept in a file."""
import os
import shelve
import tempfile

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "things")
    with shelve.open(path) as things:
        things["list"] = [1, 2, {"three": 3}]
        things["text"] = "ünï"
    with shelve.open(path) as things:
        print(sorted(things.items()))
