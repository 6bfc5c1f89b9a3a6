#: env {"TOOL_ENV": "{\"a\":1}", "TOOL_ARGS": "{}"}
import json
import os

print(json.loads(os.environ["TOOL_ENV"]), os.environ["TOOL_ARGS"])
