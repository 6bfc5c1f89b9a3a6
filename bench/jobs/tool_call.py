import io
import json
import os
import sys
import traceback

env = json.loads(os.environ["TOOL_ENV"])
args = json.loads(os.environ["TOOL_ARGS"])
printed, sys.stdout = sys.stdout, io.StringIO()
try:
    tool = {"__name__": "tool"}
    exec(compile(os.environ["TOOL_CODE"], "<tool>", "exec"), tool)
    report = {"success": True, "result": tool["execute"](env, args)}
except Exception:
    report = {"success": False, "error": traceback.format_exc()}
report["env"] = env
report["output"] = sys.stdout.getvalue()
sys.stdout = printed
print(json.dumps(report))
