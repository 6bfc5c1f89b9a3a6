import os

for call in (lambda: os.open("/dev/tty", os.O_RDWR), os.getlogin, lambda: os.ttyname(0), os.get_terminal_size):
    try:
        print(call())
    except OSError as error:
        print(error)
print(os.ctermid())
