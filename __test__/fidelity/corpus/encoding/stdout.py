import sys

for stream in (sys.stdout, sys.stderr):
    print(stream.name, stream.mode, stream.encoding, stream.errors, stream.newlines)
    print(stream.isatty(), stream.line_buffering, stream.write_through, stream.fileno(), stream.seekable())
    print(type(stream.buffer).__name__, type(stream.buffer.raw).__name__, stream)
