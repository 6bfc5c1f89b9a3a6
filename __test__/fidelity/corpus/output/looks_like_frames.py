import os

for header in (b"\x01\0\0\0\0\0\0\5hello", b"\x02\0\0\0\xff\xff\xff\xff", b"\0" * 8, b"\x01\0\0\0"):
    os.write(1, header)
    os.write(2, header)
os.write(1, os.urandom(0) + b"E\0\0\0\0" + bytes(16) + b"E\7\0\0\0")
