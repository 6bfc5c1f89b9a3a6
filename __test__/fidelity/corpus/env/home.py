#: env {"HOME": "/nonexistent"}
#: cold true
import os
import site

print(os.path.expanduser("~"), site.getuserbase(), site.getusersitepackages())
