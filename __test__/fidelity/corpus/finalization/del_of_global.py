class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("del", self.name)


a = Thing("a")
b = Thing("b")
_private = Thing("private")
print("end")
