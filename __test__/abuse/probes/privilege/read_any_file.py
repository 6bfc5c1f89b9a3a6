"""Reads the file that only root may read."""


def probe():
    with open("/etc/shadow") as file:
        return "/etc/shadow: %d bytes" % len(file.read())
