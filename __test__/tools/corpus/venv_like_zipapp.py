"""Makes a program of one file and runs it with a new interpreter."""
import os
import subprocess
import sys
import tempfile
import zipapp

with tempfile.TemporaryDirectory() as folder:
    os.mkdir(folder + "/source")
    with open(folder + "/source/__main__.py", "w") as file:
        file.write("import sys; print('zipped', sys.argv[1])")
    zipapp.create_archive(folder + "/source", folder + "/tool.pyz", compressed=True)
    print(subprocess.check_output([sys.executable, folder + "/tool.pyz", "away"], text=True))
