def execute(env, args):
    factors = {"km": 1000.0, "m": 1.0, "ft": 0.3048}
    return args["value"] * factors[args["from"]] / factors[args["to"]]
