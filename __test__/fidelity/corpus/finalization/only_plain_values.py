import json

numbers = [1, 2, {"a": (3, 4)}]
function = lambda x: x
function.me = function
numbers.append(numbers)
print(len(json.dumps({"a": 1})))
