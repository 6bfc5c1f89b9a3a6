#: args ["a", "b"]
#: env {"MARK": "é"}
import multiprocessing

# Else the child looks for a script named `<stdin>` to run.
del __file__

code = """
import os, sys
print(sys.argv, sys.path, sys.flags, os.environ["MARK"], "PYTHONPATH" in os.environ)
print(__name__, sys.modules["__main__"].__name__)
"""
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=exec, args=(code,))
    process.start()
    process.join()
    print(process.exitcode)
