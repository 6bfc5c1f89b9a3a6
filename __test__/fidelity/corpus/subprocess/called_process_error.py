import subprocess

subprocess.check_call(["sh", "-c", "exit 9"])
