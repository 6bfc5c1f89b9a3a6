class Node:
    def __init__(self, name):
        self.name = name
        self.me = self

    def __del__(self):
        print("del", self.name)


node = Node("cycle in globals")
Node("cycle without a name")
print("end")
