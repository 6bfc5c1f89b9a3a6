"""The script's docstring."""
print(__doc__)
