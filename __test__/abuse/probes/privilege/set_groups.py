"""Joins groups of its choice."""

import os


def probe():
    os.setgroups([0, 42])
    return "groups %s" % os.getgroups()
