import json

# Closed by nobody but the collector, for the function keeps the globals alive.
report = open("/dev/stdout", "w")
report.write("from a buffer\n")


def function():
    return report
