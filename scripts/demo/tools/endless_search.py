def execute(env, args):
    number = args["start"]
    while True:
        number = number // 2 if number % 2 == 0 else number
