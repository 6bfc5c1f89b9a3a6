import json


class Thing:
    def __del__(self):
        print("del")


json.mine = Thing()
