import re


class Thing:
    def __del__(self, print=print):
        print("del")


re.Scanner.mine = Thing()
