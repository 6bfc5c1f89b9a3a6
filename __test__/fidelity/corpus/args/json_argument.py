#: args ["{\"a\": [1, 2, {\"b\": \"é\"}]}"]
import json
import sys

print(json.loads(sys.argv[1]))
