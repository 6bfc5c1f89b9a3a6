"""Nested JSON, back and forth."""
import json

data = {"list": [1, 2.5, None, True, {"ü": "\u2028"}], "big": 10**30, "nested": {}}
text = json.dumps(data, indent=2, sort_keys=True)
assert json.loads(text) == data
print(text)
try:
    json.loads('{"a": 1,}')
except json.JSONDecodeError as error:
    print(error)
