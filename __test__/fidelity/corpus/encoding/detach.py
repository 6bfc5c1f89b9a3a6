import io
import sys

raw = sys.stdout.detach()
raw.write(b"raw\n")
sys.stdout = io.TextIOWrapper(raw, encoding="latin-1")
print("é")
