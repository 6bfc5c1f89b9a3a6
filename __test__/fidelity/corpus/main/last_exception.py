import sys

print(hasattr(sys, "last_type"), hasattr(sys, "last_value"), hasattr(sys, "last_traceback"))
print(sys.exc_info(), hasattr(sys, "ps1"), hasattr(sys, "ps2"))
