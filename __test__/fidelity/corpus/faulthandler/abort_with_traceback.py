#: mask ["0x[0-9a-f]+", "Extension modules:.*"]
import faulthandler
import os

faulthandler.enable(all_threads=False)
os.abort()
