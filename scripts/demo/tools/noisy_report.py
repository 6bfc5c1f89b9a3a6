import sys


def execute(env, args):
    print("step 1 of 2: reading")
    print("warning: two measurements are missing", file=sys.stderr)
    measured = [value for value in args["measurements"] if value is not None]
    env["missing"] = len(args["measurements"]) - len(measured)
    return sum(measured) / len(measured)
