"""A stand-in for systemd-journald, and what gpuhost's entries are known by."""

import socket
from pathlib import Path

CHANGE_DONE = "90c3c28ab58c4f799d9b2434279ebcf9"
CHANGE_FAILED = "0f8d961ca8c544dcb2cac15f3a144585"
CHANGE_UNDONE = "fb0a74ba2a1f426da4bc15ee33e10130"
RUN_STARTED = "ed35851130e74f92acca4b038627d645"
RUN_ENDED = "a114e7f9752c4a1cb05951f1a9c93dc8"
WRITE_ABANDONED = "8d497b83e76043228b9061f30d93918f"


class Journald:
    """Takes what gpuhost tells systemd's journal."""

    def __init__(self):
        path = Path("/run/systemd/journal/socket")
        path.parent.mkdir(parents=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def entries(self):
        """All that came since the last look; values of several lines are left out."""
        found = []
        while True:
            try:
                datagram = self.socket.recv(1 << 18).decode(errors="replace")
            except BlockingIOError:
                return found
            found.append(dict(line.split("=", 1) for line in datagram.splitlines() if "=" in line))
