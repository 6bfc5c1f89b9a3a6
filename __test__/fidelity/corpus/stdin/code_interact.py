import code

code.interact(banner="banner", local={"x": 1})
print("after")
