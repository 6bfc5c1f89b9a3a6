import json


class Thing:
    def __del__(self, print=print):
        print("del")


json.JSONDecoder.mine = Thing()
