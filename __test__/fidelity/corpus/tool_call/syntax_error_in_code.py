#: env {"TOOL_CODE": "def execute(env, args)\n    return 1\n"}
import json
import os
import traceback

try:
    exec(os.environ["TOOL_CODE"], {})
except Exception:
    print(json.dumps({"success": False, "trace": traceback.format_exc()}))
