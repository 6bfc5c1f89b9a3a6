#: env {"PYTHONIOENCODING": "latin-1:backslashreplace"}
#: cold true
import sys

print(sys.stdin.encoding, sys.stdout.encoding, sys.stdout.errors, sys.stderr.encoding, sys.stderr.errors)
print("é ☃")
