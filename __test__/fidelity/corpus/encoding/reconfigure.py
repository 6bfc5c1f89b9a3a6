import sys

sys.stdout.reconfigure(encoding="utf-16", newline="\r\n")
print("hello")
sys.stderr.reconfigure(errors="xmlcharrefreplace", encoding="ascii")
print("é", file=sys.stderr)
