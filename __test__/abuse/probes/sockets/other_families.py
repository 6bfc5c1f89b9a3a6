"""Opens a socket of any family but UNIX, IPv4, IPv6 and netlink."""

import socket

from attempt import some

USUAL = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)


def probe():
    found = []
    for family in range(48):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                if family not in USUAL:
                    socket.socket(family, kind).close()
                    found.append("family %d" % family)
                    break
            except OSError:
                pass
    return some(found)
