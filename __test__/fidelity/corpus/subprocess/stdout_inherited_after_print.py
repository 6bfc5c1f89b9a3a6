import subprocess

print("buffered until the end")
subprocess.call(["echo", "comes first"])
