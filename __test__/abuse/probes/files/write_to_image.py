"""Changes the image's files, and adds to them."""

from attempt import some, writable

FOLDERS = "/ /bin /etc /home /lib /opt /root /run /srv /usr/bin /usr/lib /usr/local /var /var/tmp".split()


def probe():
    return some(writable(FOLDERS))
