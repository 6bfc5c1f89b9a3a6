import subprocess

try:
    subprocess.run(["/no/such/program"])
except OSError as error:
    print(repr(error), error.filename)
subprocess.run(["no-such-program"])
