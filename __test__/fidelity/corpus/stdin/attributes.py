import sys

stdin = sys.stdin
print(stdin.name, stdin.mode, stdin.encoding, stdin.errors, stdin.newlines, stdin.closed)
print(stdin.fileno(), stdin.isatty(), stdin.line_buffering, stdin.readable(), stdin.seekable())
print(stdin is sys.__stdin__, type(stdin.buffer).__name__, stdin.buffer.raw.closefd)
print(stdin)
