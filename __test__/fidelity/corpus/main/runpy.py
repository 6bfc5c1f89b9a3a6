import os
import runpy

with open("runpy_script.py", "w") as file:
    file.write("import sys\nprint(__name__, __file__, sys.argv[0])\n")
try:
    print(sorted(runpy.run_path("runpy_script.py", run_name="other")))
finally:
    os.remove("runpy_script.py")
