import sys

sys.exit(ValueError("as status"))
