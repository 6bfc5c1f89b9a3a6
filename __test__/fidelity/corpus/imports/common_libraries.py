import base64, collections, csv, datetime, decimal, functools, hashlib, heapq, io, itertools, math
import re, shutil, sqlite3, statistics, string, struct, tempfile, textwrap, urllib.parse, uuid, zlib

print(re.findall(r"\w+", "a bc"), hashlib.sha256(b"x").hexdigest(), decimal.Decimal("1") / 3)
print(sqlite3.connect(":memory:").execute("select 1 + 1").fetchone(), urllib.parse.quote("é"))
print(statistics.mean([1, 2, 4]), textwrap.fill("word " * 30), base64.b64encode(zlib.compress(b"x" * 99)))
