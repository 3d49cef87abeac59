"""Many connections at once without a thread for each: an origin that holds its answers, and the clients before it. For the
tests of memory, where a thousand threads would be the larger load."""
import collections
import contextlib
import os
import resource
import selectors
import signal
import socket
import threading
import time

from .client import Client

PART, WHOLE = 64 * 1024, 1024 * 1024  # of an answer to /part: what is sent at once, and what its head announces


class HoldingOrigin:
    """One thread. / is answered at once; /held when release() is called; of the answer to /part a part is sent at once and
    the rest then. Bodies of requests are read and forgotten."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.held = collections.Counter()     # by target
        self.body_bytes = 0
        self.errors = []
        self._wake, self._wakes = socket.socketpair()
        self._release = False
        self._received = {}                   # connection: bytes of a head
        self._owed = []                       # (connection, bytes)
        self._selector = selectors.DefaultSelector()
        for source in (self.listener, self._wakes):
            self._selector.register(source, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def release(self):
        self._release = True
        self._wake.send(b"r")

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                source = key.fileobj
                if source is self._wakes:
                    if self._wakes.recv(1) == b"e":
                        return
                    self._pay()
                elif source is self.listener:
                    connection, _ = self.listener.accept()
                    connection.settimeout(20)   # only for sends: it is read when there is something
                    self._received[connection] = b""
                    self._selector.register(connection, selectors.EVENT_READ)
                else:
                    self._read(source)

    def _read(self, connection):
        try:
            data = connection.recv(262144)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            connection.close()
            del self._received[connection]
            return
        if not self._received[connection] and not data.startswith((b"GET ", b"POST ")):
            self.body_bytes += len(data)
            return
        head, end, body = (self._received[connection] + data).partition(b"\r\n\r\n")
        if not end:
            self._received[connection] = head
            return
        self._received[connection] = b""
        self.body_bytes += len(body)
        self._answer(connection, head.split(b" ")[1].decode())

    def _answer(self, connection, target):
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
        if target == "/":
            connection.sendall(whole)
            return
        if target == "/part":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % WHOLE + b"x" * PART)
            whole = b"x" * (WHOLE - PART)
        self._owed.append((connection, whole))
        self.held[target] += 1

    def _pay(self):
        """One after the other, so that what waits in the kernel stays small: the client of the first reads to its end."""
        for connection, rest in self._owed:
            connection.sendall(rest)
        self._owed.clear()
        self.held.clear()

    def close(self):
        self._wake.send(b"e")
        self._thread.join(10)
        for connection in self._received:
            connection.close()
        for source in (self.listener, self._wake, self._wakes, self._selector):
            source.close()


@contextlib.contextmanager
def descriptors(wanted):
    """Allows this process, and what it starts, as many descriptors as it may have. @return how many of `wanted` fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield min(wanted, hard - 300) if hard != resource.RLIM_INFINITY else wanted
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def at_a_rate(moves, a_second):
    """The moves go on in a process of its own, which has the same sockets, so that they cost the one that measures nothing."""
    pid = os.fork()
    if pid == 0:
        _move(moves, a_second)
    try:
        yield
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), "a move has failed"
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _move(moves, a_second):
    try:
        began, done = time.monotonic(), 0
        for _ in moves:
            done += 1
            ahead = began + done / a_second - time.monotonic()
            if ahead > 0.002:   # a few at a time: waking up for each would be most of the work
                time.sleep(ahead)
    finally:
        os._exit(1)


class Crowd:
    """So many clients, each with a connection that has served a request."""

    def __init__(self, address, size):
        self.size = size
        self.clients = []
        for _ in range(size):
            client = Client(address, timeout=30)
            self.clients.append(client)
            assert client.get("/").status == 200

    def __iter__(self):
        return iter(self.clients)

    def send(self, data):
        for client in self.clients:
            client.send(data)

    def close(self):
        for client in self.clients:
            client.close()
