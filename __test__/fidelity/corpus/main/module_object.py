import sys

main = sys.modules["__main__"]
print(main, main.__dict__ is globals(), main.__spec__, main.__package__, hasattr(main, "__file__"))
print(__builtins__ is sys.modules["builtins"], type(__builtins__).__name__)
import __main__

print(__main__ is main)
