from os.path import *
from json import *

print(sorted(name for name in globals() if not name.startswith("_")))
