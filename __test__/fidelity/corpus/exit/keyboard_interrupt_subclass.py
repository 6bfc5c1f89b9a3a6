class Mine(KeyboardInterrupt):
    pass


raise Mine("subclass")
