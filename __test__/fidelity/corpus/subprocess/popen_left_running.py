import subprocess
import warnings

warnings.simplefilter("always")
process = subprocess.Popen(["sleep", "0.2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
process.pid = 7
del process
print("end")
