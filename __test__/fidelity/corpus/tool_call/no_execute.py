#: env {"TOOL_CODE": "x = 1\n"}
import json
import os
import sys

scope = {"__name__": "tool"}
exec(compile(os.environ["TOOL_CODE"], "<tool>", "exec"), scope)
if "execute" not in scope:
    print(json.dumps({"success": False, "error": "no execute(env, args)"}))
    sys.exit(2)
