import os

os.putenv("MINE", "1")
print(os.environ.get("MINE"))
os.environ["MINE"] = "2"
print(os.popen("echo $MINE").read())
os.environ.clear()
print(len(os.environ), repr(os.popen("echo $HOME $A").read()))
