import subprocess

print(subprocess.call(["sh", "-c", "kill -TERM $$"]))
process = subprocess.Popen(["sleep", "60"])
process.kill()
print(process.wait(), process)
