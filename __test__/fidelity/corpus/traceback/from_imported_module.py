import os
import sys

os.mkdir("pkg_traceback")
try:
    with open("pkg_traceback/inner.py", "w") as file:
        file.write("def f(x):\n    # a comment\n    return x['key']\n")
    from pkg_traceback import inner

    try:
        inner.f({})
    finally:
        sys.stdout.flush()
finally:
    import shutil

    shutil.rmtree("pkg_traceback")
