try:
    import surely_not_there
except ImportError as error:
    print(repr(error), error.name, error.path)
from os import surely_not_there_either
