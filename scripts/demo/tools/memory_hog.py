def execute(env, args):
    blocks = [bytearray(1024 * 1024) for _ in range(args["mebibytes"])]
    return len(blocks)
