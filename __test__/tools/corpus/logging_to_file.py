"""A log with rotation."""
import logging
import logging.handlers
import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    handler = logging.handlers.RotatingFileHandler(folder + "/log", maxBytes=200, backupCount=2)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log = logging.getLogger("tool")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    for number in range(20):
        log.info("line %d", number)
    handler.close()
    print(sorted(os.listdir(folder)), open(folder + "/log").read())
