"""Looks for capabilities that the process has, or could ever get."""

from attempt import Stopped, status


def probe():
    fields = status()
    held = {name: fields[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh") if int(fields[name], 16)}
    if not held:
        raise Stopped("CapEff, CapPrm, CapBnd and CapInh are 0")
    return ", ".join("%s %s" % pair for pair in held.items())
