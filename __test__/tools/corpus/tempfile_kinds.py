"""Every kind of temporary file."""
import os
import tempfile

with tempfile.SpooledTemporaryFile(max_size=10) as spooled:
    spooled.write(b"x" * 100)
    spooled.seek(0)
    print(len(spooled.read()))
fd, path = tempfile.mkstemp(prefix="tool-", suffix=".dat")
os.write(fd, b"data")
os.close(fd)
print(os.path.dirname(path), os.path.getsize(path), tempfile.gettempdir())
os.unlink(path)
