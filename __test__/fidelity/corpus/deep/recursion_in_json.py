import json

nested = []
for _ in range(100_000):
    nested = [nested]
try:
    json.dumps(nested)
except RecursionError as error:
    print("RecursionError")
try:
    json.loads("[" * 100_000)
except RecursionError as error:
    print("RecursionError")
