#: env {"EMPTY": "", "LINES": "a\nb\n\nc", "EQUALS": "a=b=c"}
import os

print(repr(os.environ["EMPTY"]), repr(os.environ["LINES"]), repr(os.environ["EQUALS"]))
