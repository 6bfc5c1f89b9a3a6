import json
import os
import sys


class Late:
    def __del__(self):
        print(os is not None, json is not None, sys is not None, sys.meta_path is not None)


late = Late()
