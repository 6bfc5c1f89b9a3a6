"""Writes a program to /tmp, makes it executable and runs it."""
import os
import subprocess
import tempfile

with tempfile.TemporaryDirectory(dir="/tmp") as folder:
    path = os.path.join(folder, "tool")
    with open(path, "w") as file:
        file.write('#!/bin/sh\necho "run with $1"\nexit 3\n')
    os.chmod(path, 0o755)
    done = subprocess.run([path, "an argument"], capture_output=True, text=True)
print(done.stdout, done.returncode)
