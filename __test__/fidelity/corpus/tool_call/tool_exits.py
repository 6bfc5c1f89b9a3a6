#: env {"TOOL_CODE": "import sys\ndef execute(env, args):\n    sys.exit('tool gave up')\n"}
import os

scope = {}
exec(os.environ["TOOL_CODE"], scope)
scope["execute"]({}, {})
