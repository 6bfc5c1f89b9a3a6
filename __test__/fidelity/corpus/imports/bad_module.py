import os

with open("bad_module.py", "w") as file:
    file.write("x = (\n")
try:
    import bad_module
finally:
    os.remove("bad_module.py")
