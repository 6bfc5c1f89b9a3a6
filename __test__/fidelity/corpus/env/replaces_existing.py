#: env {"LOGNAME": "me", "LINES": "11", "COLUMNS": "33"}
import getpass
import os
import shutil

print(getpass.getuser(), shutil.get_terminal_size())
