import sys

import json

first = json
del sys.modules["json"], json
import json

print(first is json, json.loads("[1]"))
