#: env {"TMPDIR": "/dev/shm"}
import tempfile

print(tempfile.gettempdir())
