#: env {"PYTHONPATH": "/tmp/somewhere:/tmp/else"}
#: cold true
import os
import sys

print(sys.path, os.environ["PYTHONPATH"])
