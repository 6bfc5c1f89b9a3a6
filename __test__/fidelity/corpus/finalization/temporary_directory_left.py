#: mask ["left-\\w+"]
import tempfile
import warnings

warnings.simplefilter("always")
directory = tempfile.TemporaryDirectory(prefix="left-", dir=".")
print("end")
