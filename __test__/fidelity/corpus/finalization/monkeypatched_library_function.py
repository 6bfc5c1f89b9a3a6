import json
import sys

out = open("/dev/stdout", "w")
out.write("patched\n")


def dumps(*args):
    out.write(repr(args) + "\n")


json.dumps = dumps
sys.modules["os"].getcwd = dumps
json.dumps(1)
