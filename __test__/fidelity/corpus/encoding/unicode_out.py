print("é ☃ 😀 \u200b \ufeff \x7f \x85")
import sys

print("é ☃ 😀", file=sys.stderr)
