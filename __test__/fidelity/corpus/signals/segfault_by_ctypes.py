import ctypes
import sys

print("kept", flush=True)
ctypes.string_at(0)
