import os

name = b"caf\xe9-\xff"
open(name, "w").close()
try:
    print([entry for entry in os.listdir(b".") if entry == name], ascii(os.fsdecode(name)))
    print(os.path.exists(os.fsdecode(name)))
finally:
    os.remove(name)
