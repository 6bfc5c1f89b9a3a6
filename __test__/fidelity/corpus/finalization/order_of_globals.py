class Thing:
    def __init__(self, name, *others):
        self.name = name
        self.others = others

    def __del__(self):
        print("del", self.name)


first = Thing("first")
second = Thing("second", first)
pair = [Thing("in a list"), Thing("in the list too")]
table = {"a": Thing("in a dict")}
third = Thing("third")
