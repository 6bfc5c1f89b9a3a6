#: env {"TOOL_ENV": "{}", "TOOL_ARGS": "{}", "TOOL_CODE": "def execute(env, args):\n    return args['missing']\n"}
import json
import os
import traceback

env = json.loads(os.environ["TOOL_ENV"])
args = json.loads(os.environ["TOOL_ARGS"])
scope = {}
try:
    exec(os.environ["TOOL_CODE"], scope)
    print(json.dumps({"success": True, "result": scope["execute"](env, args), "env": env}))
except Exception as error:
    print(json.dumps({"success": False, "error": str(error), "trace": traceback.format_exc(), "env": env}))
