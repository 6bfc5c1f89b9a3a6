import os

for call in (os.wait, lambda: os.waitpid(-1, os.WNOHANG)):
    try:
        print(call())
    except OSError as error:
        print(error)
