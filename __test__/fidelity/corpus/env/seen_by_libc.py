#: env {"A": "one"}
import ctypes
import os

libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
print(libc.getenv(b"A"), libc.getenv(b"PYTHONPATH"), libc.getenv(b"HOME"), libc.getenv(b"LC_CTYPE"))
os.environ["A"] = "changed"
print(libc.getenv(b"A"))
os.unsetenv("A")
print(libc.getenv(b"A"), os.getenv("A"))
