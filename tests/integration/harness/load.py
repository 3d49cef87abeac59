"""A steady load of plain requests from Python threads, counted by status they saw."""
import threading
from collections import Counter

from .client import Client


class Load:
    """`clients` threads, one request in flight each; a client reconnects when its connection ends."""

    def __init__(self, address, clients=4, request=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", pause=0.0, tls=None, resend=False):
        """@param resend as browsers do (RFC 9112 9.3.1): a safe request whose kept connection had ended before a byte of the answer came
        is sent again on a new one, and is no failure."""
        self.statuses = Counter()
        self.cut = 0
        self.connections = 0
        self.resent = 0
        self.problems = []      # what the first failures were
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pause, self._tls, self._resend = pause, tls, resend
        self._threads = [threading.Thread(target=self._run, args=(address, request), daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _run(self, address, request):
        client, served = None, 0
        method = request.split(b" ")[0].decode()
        while not self._stop.wait(self._pause):
            response, problem = None, None
            try:
                if client is None:
                    client, served = Client(address, tls=self._tls), 0
                    with self._lock:
                        self.connections += 1
                client.send(request)
                response = client.read_response(method)
            except OSError as error:
                problem = error
            whole = response is not None and response.complete
            if not whole and self._resend and client and served and not (response and response.raw_head) and not client._source.buffer:
                with self._lock:
                    self.resent += 1
            else:
                with self._lock:
                    self._count(response if whole else None, problem or (client.ended, response))
            served += 1
            if not whole or response.get("connection") == "close":
                if client:
                    client.close()
                client = None
        if client:
            client.close()

    def _count(self, response, seen):
        if response is None:
            self.cut += 1
        else:
            self.statuses[response.status] += 1
        if (response is None or response.status >= 500) and len(self.problems) < 5:
            self.problems.append(repr(seen))

    @property
    def total(self):
        return sum(self.statuses.values()) + self.cut

    @property
    def errors(self):
        """What the client saw as a failure."""
        return self.cut + sum(n for status, n in self.statuses.items() if status >= 500)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def __repr__(self):
        return (f"<{self.total} requests, {self.errors} failed, {self.connections} connections, {self.resent} sent again, "
                f"{dict(self.statuses)}, {self.problems}>")
