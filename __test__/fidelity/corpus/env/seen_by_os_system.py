#: env {"A": "one"}
import os
import sys

sys.stdout.flush()
os.system("echo $A")
os.environ["A"] = "two"
os.system("echo $A")
del os.environ["A"]
os.system("echo [$A]")
