import pprint
import sys

pprint.pprint({"b": list(range(40)), "a": ("x" * 50, "y" * 50)})
sys.displayhook([1, 2])
print(_)
