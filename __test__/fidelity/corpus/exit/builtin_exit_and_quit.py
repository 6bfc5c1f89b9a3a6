try:
    quit(3)
except SystemExit as error:
    print("caught", error.code)
print(exit, quit)
exit("bye")
