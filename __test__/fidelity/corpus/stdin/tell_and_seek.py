import sys

for call in (sys.stdin.tell, lambda: sys.stdin.seek(0), sys.stdin.buffer.tell):
    try:
        print(call())
    except Exception as error:
        print(type(error).__name__, error)
