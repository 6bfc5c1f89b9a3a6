#: mask ["0x[0-9a-f]+"]
import sys

print("seen")
sys.stderr.close()
raise ValueError("unseen")
