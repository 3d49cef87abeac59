"""A steady load of plain requests from Python threads, counted by status they saw."""
import threading
from collections import Counter

from .client import Client


class Load:
    """`clients` threads, one request in flight each; a client reconnects when its connection ends."""

    def __init__(self, address, clients=4, request=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", pause=0.0):
        self.statuses = Counter()
        self.cut = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._pause = pause
        self._threads = [threading.Thread(target=self._run, args=(address, request), daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _run(self, address, request):
        client = None
        method = request.split(b" ")[0].decode()
        while not self._stop.wait(self._pause):
            try:
                client = client or Client(address)
                client.send(request)
                response = client.read_response(method)
            except OSError:
                response = None
            with self._lock:
                if response is None or not response.complete:
                    self.cut += 1
                else:
                    self.statuses[response.status] += 1
            if response is None or not response.complete or response.get("connection") == "close":
                if client:
                    client.close()
                client = None
        if client:
            client.close()

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
