def ask():
    return input("name? ")


ask()
