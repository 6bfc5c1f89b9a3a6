import json

json.dumps({"result": object})
