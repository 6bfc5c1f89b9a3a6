import subprocess

print(subprocess.run(["cat"], stdout=subprocess.PIPE))
print(subprocess.run(["wc", "-c"], stdout=subprocess.PIPE).stdout)
