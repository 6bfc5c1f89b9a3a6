"""Every way to compress there is."""
import bz2
import gzip
import lzma
import zlib

text = b"to be or not to be, that is the question. " * 2000
for module in (bz2, gzip, lzma, zlib):
    assert module.decompress(module.compress(text)) == text
print(len(zlib.compress(text, 9)), len(bz2.compress(text)), zlib.crc32(text))
