import os

print(os.getpid() == os.getpgrp() == os.getsid(0), os.getpid() > 1)
