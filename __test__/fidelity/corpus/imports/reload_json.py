import importlib
import json

old = json.JSONDecoder
json.dumps = None
importlib.reload(json)
print(json.dumps([1]), json.JSONDecoder is old, json.__spec__.name, json.__file__)
