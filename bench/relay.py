"""A TCP relay before a peer's port that notes when the first request for a chunk comes by; all else it only passes on."""
import contextlib
import re
import socket
import threading
import time

from systems import HERE

READ = 1 << 16
WANTED = re.compile(rb"(?:GET|POST) /chunk\b")       # one chunk, or several in one request
LONGEST = 16        # bytes of it, when it comes in two reads


class Relay:
    """Listens when it is made. `target` is set before the first connection comes; `first` is a time.monotonic(), or None."""

    def __init__(self):
        self.listener = socket.create_server((HERE, 0))
        self.port = self.listener.getsockname()[1]
        self.target, self.first, self.asked = None, None, threading.Event()
        self.sockets = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        """The threads end with their sockets."""
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((HERE, self.target))
                self.sockets += [client, server]
                for ends in ((client, server, True), (server, client, False)):
                    ends[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    def pass_on(self, source, to, is_request):
        tail = b""
        with contextlib.suppress(OSError):
            while data := source.recv(READ):
                now = time.monotonic()
                if is_request and self.first is None:
                    if WANTED.search(tail + data):
                        self.first = now
                        self.asked.set()
                    tail = data[-LONGEST:]
                to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)
