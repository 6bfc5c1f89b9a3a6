"""A file in memory, and memory without a file."""
import mmap
import tempfile

with tempfile.TemporaryFile() as file:
    file.write(b"hello world" * 100)
    file.flush()
    with mmap.mmap(file.fileno(), 0) as view:
        view[:5] = b"HELLO"
        print(view[:11], view.find(b"world"), len(view))
with mmap.mmap(-1, 1 << 20) as anonymous:
    anonymous.write(b"x" * 1000)
    print(anonymous.tell())
