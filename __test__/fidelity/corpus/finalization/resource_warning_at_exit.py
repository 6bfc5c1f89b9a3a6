import warnings

warnings.simplefilter("always")
file = open("/dev/null")


def function():
    return file
