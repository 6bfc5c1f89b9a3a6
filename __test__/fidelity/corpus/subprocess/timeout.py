import subprocess

try:
    subprocess.run(["sleep", "60"], timeout=0.1)
except subprocess.TimeoutExpired as error:
    print(error.cmd, error.output, str(error).split(" after ")[0])
