# Times HTTPS requests to BASE, REQUESTS of them, each on a connection of its own; with SIZE also a body of so many
# bytes from there and one to there. By a proxy where the environment names one.

import json, os, ssl, time, urllib.request

PIECE = 256 << 10
BASE, SIZE = os.environ["BASE"], int(os.environ["SIZE"])
TRUST = ssl.create_default_context(cadata=os.environ["CERTIFICATE"])
OPENER = urllib.request.build_opener(urllib.request.HTTPSHandler(context=TRUST))


def request():
    with OPENER.open(BASE) as answer:
        assert answer.read() == b"hello"


def download():
    buffer = memoryview(bytearray(PIECE))
    left = SIZE
    with OPENER.open(f"{BASE}{SIZE}") as answer:
        while left:
            count = answer.readinto(buffer)
            assert count
            left -= count


def upload():
    piece = bytes(PIECE)
    headers = {"Content-Length": str(SIZE)}
    body = (piece for _ in range(SIZE // PIECE))
    with OPENER.open(urllib.request.Request(BASE, body, headers, method="POST")) as answer:
        assert int(answer.read()) == SIZE


def timed(work):
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


# What it imports, and what the proxy does but once.
request()
times = {"request": [timed(request) for _ in range(int(os.environ["REQUESTS"]))]}
if SIZE:
    times.update(download=[timed(download)], upload=[timed(upload)])
print(json.dumps(times))
