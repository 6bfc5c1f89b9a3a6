import os

print([name for name in os.environ])
