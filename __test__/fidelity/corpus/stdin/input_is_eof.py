try:
    input("prompt> ")
except EOFError as error:
    print("EOF", error)
