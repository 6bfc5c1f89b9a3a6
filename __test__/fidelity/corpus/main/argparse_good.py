#: args ["--count", "3", "file"]
import argparse

parser = argparse.ArgumentParser(description="d")
parser.add_argument("--count", type=int)
parser.add_argument("name")
print(parser.parse_args())
print(parser.format_help())
