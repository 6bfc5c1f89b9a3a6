import sys


def execute(env, args):
    sys.exit(args["code"])
