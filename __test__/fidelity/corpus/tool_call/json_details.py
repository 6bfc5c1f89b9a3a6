import json

print(json.dumps({"nan": float("nan"), "inf": float("inf"), "é": "☃", 1: None, "f": 1e300, "g": 0.1}))
print(json.loads('{"a": 1, "a": 2, "\\u00e9": "\\ud83d\\ude00"}'), json.JSONDecodeError.__mro__)
print(json.dumps([1, {"b": 2}], indent=2, sort_keys=True), json.encoder.c_make_encoder is not None)
