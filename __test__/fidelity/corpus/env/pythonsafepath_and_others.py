#: env {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
#: cold true
import sys

print(sys.path[0], sys.flags.no_user_site, sys.dont_write_bytecode)
