import subprocess

code = "import os; print(os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid())"
for extra in ({}, {"start_new_session": True}):
    print(subprocess.check_output(["python3", "-c", code], **extra))
