"""A TCP relay before a peer's port that notes when the first request for a chunk comes by; all else it only passes on."""
import re
import selectors
import socket
import threading
import time

from systems import HERE

READ = 1 << 16
WANTED = re.compile(rb"(?:GET|POST) /chunk\b")       # one chunk, or several in one request
LONGEST = 16        # bytes of it, when it comes in two reads


class Relay:
    """Listens when it is made. `target` is set before the first connection comes; `first` is a time.monotonic(), or None.

    One thread for everything, and the server is not connected to before the client has said something: nothing that could wait
    comes between a request and its note.
    """

    def __init__(self):
        self.target, self.first, self.asked = None, None, threading.Event()
        self.selector, self.other, self.tails = selectors.DefaultSelector(), {}, {}
        self.listener = socket.create_server((HERE, 0))
        self.port = self.listener.getsockname()[1]
        self.waker, self.woken = socket.socketpair()
        for each in (self.listener, self.woken):
            self.selector.register(each, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def close(self):
        self.waker.close()
        self.thread.join()

    def work(self):
        try:
            while True:
                for key, _ in self.selector.select():
                    if key.fileobj is self.woken:
                        return
                    if key.fileobj is self.listener:
                        client, _ = self.listener.accept()
                        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self.tails[client] = b""
                        self.selector.register(client, selectors.EVENT_READ)
                    elif key.fileobj.fileno() >= 0:     # not closed a moment ago, with its other end
                        self.pass_on(key.fileobj)
        finally:
            for key in list(self.selector.get_map().values()):
                key.fileobj.close()
            self.selector.close()

    def pass_on(self, source):
        """What there is, or the end: of both ends, as nobody here sends on after an end."""
        try:
            if data := source.recv(READ):
                if source in self.tails:
                    self.look(source, data, time.monotonic())
                if source not in self.other:
                    self.connect(source)
                self.other[source].sendall(data)
                return
        except OSError:
            pass
        for end in (source, self.other.get(source)):
            if end:
                self.selector.unregister(end)
                end.close()

    def look(self, client, data, now):
        if self.first is None and WANTED.search(self.tails[client] + data):
            self.first = now
            self.asked.set()
        self.tails[client] = data[-LONGEST:]

    def connect(self, client):
        server = socket.create_connection((HERE, self.target))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.other[client], self.other[server] = server, client
        self.selector.register(server, selectors.EVENT_READ)
