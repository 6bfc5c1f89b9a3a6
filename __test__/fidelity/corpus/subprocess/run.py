import subprocess

print(subprocess.run(["echo", "hello"], capture_output=True))
print(subprocess.run("echo out; echo err >&2; exit 3", shell=True, capture_output=True, text=True))
print(subprocess.getstatusoutput("exit 4"))
