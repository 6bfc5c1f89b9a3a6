import os
import subprocess

with open("run.sh", "w") as file:
    file.write("#!/bin/sh\necho ran\n")
os.chmod("run.sh", 0o755)
print(oct(os.stat("run.sh").st_mode), subprocess.check_output(["./run.sh"]))
os.remove("run.sh")
