import os
import sys

sys.stdout.write("lost")
sys.stderr.write("kept\n")
os._exit(3)
