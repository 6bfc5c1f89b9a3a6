import sys

try:
    1 / 0
except ZeroDivisionError:
    sys.exit("failed for %s" % sys.exc_info()[0].__name__)
