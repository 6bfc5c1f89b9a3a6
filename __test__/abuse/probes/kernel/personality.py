"""Has its memory laid out without chance, to be found more easily."""

from attempt import call

ADDR_NO_RANDOMIZE = 0x0040000


def probe():
    call("personality", ADDR_NO_RANDOMIZE)
    return "ADDR_NO_RANDOMIZE is set"
