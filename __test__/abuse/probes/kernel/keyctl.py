"""Looks for the session's keyring, which namespaces do not divide."""

from attempt import call

GET_KEYRING_ID, SESSION = 0, -3


def probe():
    return "keyring %d" % call("keyctl", GET_KEYRING_ID, SESSION, 0)
