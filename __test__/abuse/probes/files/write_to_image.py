"""Changes the image's files, and adds to them."""

import os

from attempt import some

FOLDERS = "/ /bin /etc /home /lib /opt /root /run /srv /usr/bin /usr/lib /usr/local /var /var/tmp".split()


def probe():
    written = []
    for folder in FOLDERS:
        path = os.path.join(folder, "probe")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            os.unlink(path)
            written.append(folder)
        except OSError:
            pass
    return some(written)
