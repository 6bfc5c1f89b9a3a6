"""Finds words."""
import re

text = "2024-01-31 ERROR [db] timeout=30s; 2024-02-01 WARN [web] status=503;"
for match in re.finditer(r"(?P<day>\d{4}-\d\d-\d\d) (?P<level>[A-Z]+) \[(\w+)\]", text):
    print(match.groupdict(), match.span())
print(re.sub(r"(\w+)=(\w+)", r"\2 is \1", text), re.split(r"\W+", text)[:5])
