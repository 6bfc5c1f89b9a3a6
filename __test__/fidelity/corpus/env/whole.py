#: env {"B": "2", "A": "1"}
import os

for name, value in os.environ.items():
    if name != "HOSTNAME":
        print(name, ascii(value))
