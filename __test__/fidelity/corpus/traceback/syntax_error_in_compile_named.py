compile("x = [1, 2\n", "tool.py", "exec")
