import os

with open("colorsys.py", "w") as file:
    file.write("VALUE = 'mine'\n")
try:
    import colorsys

    print(colorsys.VALUE)
finally:
    os.remove("colorsys.py")
    __import__("shutil").rmtree("__pycache__", ignore_errors=True)
