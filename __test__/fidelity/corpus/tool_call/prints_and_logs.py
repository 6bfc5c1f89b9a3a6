#: env {"TOOL_CODE": "import sys\ndef execute(env, args):\n    print('progress')\n    print('warning', file=sys.stderr)\n    return {'é': [1, None, True]}\n"}
import json
import os

scope = {}
exec(os.environ["TOOL_CODE"], scope)
print(json.dumps(scope["execute"]({}, {}), ensure_ascii=False))
