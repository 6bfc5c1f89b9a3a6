import subprocess

process = subprocess.Popen(["sh", "-c", "exec yes | head -c 4"], stdout=subprocess.PIPE)
print(process.communicate(), process.returncode)
writer = subprocess.Popen(["true"], stdin=subprocess.PIPE)
writer.wait()
writer.stdin.write(b"x" * 100)
writer.stdin.flush()
