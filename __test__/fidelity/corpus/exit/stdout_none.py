import sys

print("seen")
sys.stdout = None
print("unseen")
sys.stderr = None
raise ValueError("unseen")
