import json


class Thing:
    def __del__(self, write=__import__("os").write):
        write(1, b"del\n")


thing = Thing()
thing.module = json
json.thing = thing
json.decoder.thing = thing
del thing
