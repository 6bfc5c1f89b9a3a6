import json

json.loads('{"a": nope}')
