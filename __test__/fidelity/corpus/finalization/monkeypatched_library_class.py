import json


class Thing:
    def __del__(self, write=__import__("os").write):
        write(1, b"del\n")


thing = Thing()


def default(self, value):
    return repr(thing)


json.JSONEncoder.default = default
print(len(json.dumps({"x": {1}})) > 10)
