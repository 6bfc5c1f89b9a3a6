import os


class Thing:
    def __del__(self):
        print("del")


os.mine = Thing()
