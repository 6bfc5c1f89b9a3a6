import os
import sys

sys.stdout.write("kept")
sys.stdout.flush()
os._exit(0)
