import sys

print(sys.flags.hash_randomization, sys.hash_info.algorithm, hash("x") == hash("x"), hash(b""), hash(1))
