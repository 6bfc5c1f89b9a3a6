import getpass

try:
    print(repr(getpass.getpass("secret: ")))
except EOFError as error:
    print("EOF", error)
