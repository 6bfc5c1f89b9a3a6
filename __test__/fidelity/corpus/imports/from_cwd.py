import os

with open("module_in_cwd.py", "w") as file:
    file.write("print(__name__, __file__)\nVALUE = 3\n")
try:
    import module_in_cwd

    print(module_in_cwd.VALUE, module_in_cwd.__spec__.origin)
finally:
    os.remove("module_in_cwd.py")
    __import__("shutil").rmtree("__pycache__", ignore_errors=True)
