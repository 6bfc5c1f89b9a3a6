import subprocess
import sys

code = "blocks = []\nwhile True: blocks.append(bytearray(b'x') * (1 << 20))"
print(subprocess.run([sys.executable, "-c", code]).returncode)
