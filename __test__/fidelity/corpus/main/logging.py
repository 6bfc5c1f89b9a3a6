import logging

logging.warning("to stderr %s", 1)
logging.basicConfig(format="%(name)s %(filename)s %(module)s %(funcName)s %(lineno)d %(message)s", force=True)
logging.getLogger("mine").error("where")
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("what")
