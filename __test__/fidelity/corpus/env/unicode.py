#: env {"UNI": "é ☃ 😀", "ÜMLAUT": "x", "with space": "y", "dots.and-dashes": "z"}
import os

print(ascii(os.environ["UNI"]), os.environb[b"UNI"], os.environ["ÜMLAUT"])
print(os.environ["with space"], os.environ["dots.and-dashes"])
