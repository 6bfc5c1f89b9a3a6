import json

data = json.dumps({"items": list(range(20_000))})
print(len(data), sum(json.loads(data)["items"]))
