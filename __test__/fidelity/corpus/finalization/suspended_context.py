import contextlib


@contextlib.contextmanager
def context():
    try:
        yield "inside"
    finally:
        print("context left")


manager = context()
print(manager.__enter__())
