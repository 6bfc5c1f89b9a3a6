import os
import sys
import zipfile

with zipfile.ZipFile("lib.zip", "w") as archive:
    archive.writestr("in_zip.py", "def f():\n    return 1 / 0\n")
    archive.writestr("data.txt", "data")
try:
    sys.path.insert(0, "lib.zip")
    import in_zip

    print(in_zip.__file__, in_zip.__loader__.get_data("lib.zip/data.txt"))
    in_zip.f()
finally:
    os.remove("lib.zip")
