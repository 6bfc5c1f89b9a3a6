#: args ["--nope"]
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--yes", action="store_true")
print(parser.prog)
parser.parse_args()
