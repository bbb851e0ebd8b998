"""`python` for a program that a `LoadedPython` runs: python -I -S this.py SOCKET PROGRAM ..."""

import json
import os
import socket
import sys

if sys.argv[2].startswith("-") and sys.argv[2] != "-m":  # such as -c
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
socket.send_fds(server, [b"\0"], [0, 1, 2])
# pathlib would take longer to load than all of this.
request = {
    "arguments": sys.argv[2:],
    "cwd": os.getcwd(),  # noqa: PTH109
    "environment": dict(os.environ),
}
server.sendall(json.dumps(request).encode() + b"\n")
status = int(server.recv(16))
os._exit(status if status >= 0 else 128 - status)
