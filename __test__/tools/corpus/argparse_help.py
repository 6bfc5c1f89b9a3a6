"""A command line tool and its help."""
import argparse

parser = argparse.ArgumentParser(prog="tool", description="Adds numbers.")
parser.add_argument("numbers", nargs="+", type=int)
parser.add_argument("--scale", type=float, default=1.0)
print(parser.parse_args(["1", "2", "--scale", "2.5"]))
print(parser.format_help())
