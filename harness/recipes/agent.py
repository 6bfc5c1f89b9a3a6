#!/usr/bin/env python3
"""Runs what the host asks for, one request after another, by the machine's virtio-serial port.

A request is a line of JSON: `script`, for bash, and `env`. The answer is lines of JSON: `out`, bytes of both
streams in base64, as they come; then `code`."""

import base64
import json
import os
import subprocess
import threading

PORT = "/dev/virtio-ports/agent"


def run(script, env, answer):
    ours, theirs = os.pipe()
    # The kernel takes no argument as long as a script may be.
    text = os.memfd_create("script", 0)
    os.write(text, script.encode())
    child = subprocess.Popen(
        ["bash", f"/proc/self/fd/{text}"],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd="/",
        env={**os.environ, "HOME": "/root", **env},
        start_new_session=True,
        pass_fds=[text],
    )
    os.close(theirs)
    os.close(text)

    def tell():
        while chunk := os.read(ours, 1 << 15):
            answer(out=base64.b64encode(chunk).decode())
        os.close(ours)

    reader = threading.Thread(target=tell, daemon=True)
    reader.start()
    code = child.wait()
    # Daemons that were started may hold the pipe for ever.
    reader.join(1)
    answer(code=code)


def main():
    fd = os.open(PORT, os.O_RDWR | os.O_CLOEXEC)
    lock = threading.Lock()

    def answer(**fields):
        line = json.dumps(fields).encode() + b"\n"
        with lock:
            while line:
                line = line[os.write(fd, line) :]

    answer(ready=True)
    for line in os.fdopen(os.dup(fd), "rb"):
        request = json.loads(line)
        run(request["script"], request.get("env", {}), answer)


main()
