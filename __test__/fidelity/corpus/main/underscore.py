print("_" in globals(), "_" in dir(__builtins__))
