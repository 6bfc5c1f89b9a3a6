# Runs one tool as an agent backend does. Its code, its arguments and the environment it works on come
# as variables; one JSON object goes to standard output, and whatever the tool prints to standard error.
import contextlib
import json
import os
import sys


def main():
    env = json.loads(os.environ["TOOL_ENV"])
    args = json.loads(os.environ["TOOL_ARGS"])
    tool = {"__name__": "tool"}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            exec(compile(os.environ["TOOL_CODE"], "tool.py", "exec"), tool)
            result = tool["execute"](env, args)
        line = json.dumps({"success": True, "env": env, "result": result})
    except Exception as error:
        reason = "{}: {}".format(type(error).__name__, error)
        line = json.dumps({"success": False, "env": env, "error": reason})
    print(line)


main()
