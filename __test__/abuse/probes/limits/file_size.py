"""Makes a file larger than files may be."""

import tempfile


def probe():
    with tempfile.TemporaryFile(dir="/tmp") as file:
        file.truncate(65 << 20)
    return "a file of 65 MiB"
