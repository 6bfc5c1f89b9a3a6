"""Differences of texts."""
import difflib
import textwrap

old = "the quick brown fox\njumps over\nthe lazy dog\n".splitlines(keepends=True)
new = "the quick red fox\njumps over\nthe very lazy dog\n".splitlines(keepends=True)
print("".join(difflib.unified_diff(old, new, "old", "new")))
print(textwrap.fill(" ".join(["word"] * 40), 60))
