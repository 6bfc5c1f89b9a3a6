#: env {"A": "é"}
import os

print({name: value for name, value in os.environb.items() if name != b"HOSTNAME"})
