"""A soak: laps of everything that clients do well and badly, while weights change and the mirror goes on and off. After
each lap every client has left, the connections to the sides have ended as well because they were idle, and memory and
descriptors are looked at. The test runs a few short laps, bench/soak as
many as fit into its minutes.

Laps are counted in visits, not in seconds, and a director makes the next change when enough visits were made, so that a
slow machine runs the same soak more slowly. Chance is seeded."""
import random
import statistics
import threading
import time
from collections import Counter

from .client import Client
from .waiting import eventually

WARM_UP = 3            # laps until pools, arenas and tables have their size
GROWTH_MIB = 1.0       # between the first and the last third of the laps after them; 0.5 was seen over 200,000 visits
CHANGES_A_LAP = 8
WEIGHTS = (10, 50, 100, 30, 0, 75)
MIRRORS = (0, 100, 50, 100)
PART, LARGE = 64 * 1024, 1024 * 1024


class Visitor:
    """One thread of the client. Each visit is one of its methods, by chance; a method returns what it was answered, or None
    when it left on purpose."""

    def __init__(self, address, seed):
        self.address = address
        self.random = random.Random(seed)
        self.kept = None
        self.visits = [(self.browse, 10), (self.reconnect, 4), (self.download, 2), (self.upload, 3), (self.upload_in_chunks, 2),
                       (self.leave_in_the_head, 1), (self.leave_in_the_answer, 1), (self.leave_in_the_upload, 1),
                       (self.leave_before_the_answer, 1)]

    def visit(self):
        """@return the problem, or None."""
        kinds, shares = zip(*self.visits)
        kind = self.random.choices(kinds, shares)[0]
        try:
            response, expected = kind() or (None, None)
        except OSError as error:
            return f"{kind.__name__}: {error!r}"
        if response is None or (response.complete and response.status == 200 and response.size == expected):
            return None
        return f"{kind.__name__}: {response!r}"

    def close(self):
        if self.kept:
            self.kept.close()
        self.kept = None

    # --- as clients should
    def browse(self):
        self.kept = self.kept or Client(self.address, timeout=60)
        for _ in range(4):
            response = self.kept.get("/")
        return response, 4  # "old\n", "new\n"

    def reconnect(self):
        with Client(self.address, timeout=60) as client:
            return client.get("/", fields="Connection: close\r\n"), 4

    def download(self):
        with Client(self.address, timeout=60) as client:
            client.send(f"GET /size/{PART} HTTP/1.1\r\nHost: a\r\n\r\n")
            return client.read_response(keep_body=False), PART

    def upload(self):
        size = self.random.choice((100, 5_000, 100_000))
        with Client(self.address, timeout=60) as client:
            return client.post(b"u" * size, "/upload"), len(str(size))

    def upload_in_chunks(self):
        with Client(self.address, timeout=60) as client:
            client.send("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(5):
                client.send(b"400\r\n" + b"c" * 1024 + b"\r\n")
            client.send("0\r\n\r\n")
            return client.read_response("POST"), 4  # "5120"

    # --- as clients do
    def leave_in_the_head(self):
        self.leave("GET / HTTP/1.1\r\nHost: a\r\nX-Ne")

    def leave_in_the_answer(self):
        self.leave(f"GET /size/{LARGE} HTTP/1.1\r\nHost: a\r\n\r\n", read=True)

    def leave_in_the_upload(self):
        self.leave(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"u" * 20_000)

    def leave_before_the_answer(self):
        self.leave("GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    def leave(self, data, read=False):
        client = Client(self.address, timeout=60)
        client.send(data)
        if read:
            client.socket.recv(1000)
        if self.random.random() < 0.5:
            client.rst()
        else:
            client.close()


class Soak:
    def __init__(self, lab, clients=8, workers=1, seed=None):
        self.seed = random.randrange(1 << 30) if seed is None else seed
        self.clients = clients
        self.visits = 0
        self.failed = Counter()
        self.resident = []     # MiB after each lap
        self.tidegate = lab.proxy(
            lab.nginx("old"), lab.nginx("new"), weight=WEIGHTS[-1], workers=workers,
            route={"mirror": {"percent": MIRRORS[-1], "methods": ["GET", "POST"], "concurrency": 2 * clients}},
            cluster={"timeouts": {"connect": "30s"}, "pool": {"idle_timeout": "1s"}}, log={"access": {"path": "/dev/null"}})
        self.changes = 0
        self._lock = threading.Lock()
        self._changing = threading.Lock()

    def laps(self, count, visits):
        for _ in range(count):
            self.lap(visits)

    def run_for(self, seconds, say, visits=4000):
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(self.resident) < WARM_UP + 3:
            self.lap(visits)
            say(f"lap {len(self.resident)}: {self.visits:,} visits, {sum(self.failed.values())} failed, {self.resident[-1]:.1f} MiB")

    def lap(self, visits):
        left, every = [visits], max(1, visits // CHANGES_A_LAP)
        threads = [threading.Thread(target=self._visit, args=(left, every, self.seed + self.visits + i), daemon=True)
                   for i in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: self._left() == 0, "every client gone", 60, 0.05)
        self.tidegate.has_only_its_own_descriptors(60)
        self.resident.append(self.tidegate.rss_mib())

    def _left(self):
        metric = self.tidegate.api.metric
        return (metric("tidegate_downstream_connections") + metric("tidegate_http_requests_in_flight") +
                metric("tidegate_upstream_connections", state="active"))

    def _visit(self, left, every, seed):
        visitor = Visitor(self.tidegate.address, seed)
        while True:
            with self._lock:
                if left[0] == 0:
                    break
                left[0] -= 1
                self.visits += 1
                change = left[0] % every == 0
            problem = (self._change() if change else None) or visitor.visit()
            if problem:
                with self._lock:
                    self.failed[problem[:200]] += 1
        visitor.close()

    def _change(self):
        with self._changing:  # two at once would be a conflict
            weight, mirror = WEIGHTS[self.changes % len(WEIGHTS)], MIRRORS[self.changes % len(MIRRORS)]
            self.changes += 1
            try:
                answers = [self.tidegate.api.weight(weight, expect=None), self.tidegate.api.mirror(mirror, expect=None)]
            except OSError as error:
                return f"change: {error!r}"
        return next((f"change: {answer}" for answer in answers if answer.status != 200), None)

    # --- what came out
    def growth_mib(self):
        """From the first to the last third of the laps after the warm-up."""
        resident = self.resident[WARM_UP:]
        third = max(1, len(resident) // 3)
        return statistics.median(resident[-third:]) - statistics.median(resident[:third])

    def problems(self):
        found = [f"{count} x {what}" for what, count in self.failed.most_common(10)]
        if self.growth_mib() > GROWTH_MIB:
            found.append(f"resident memory grew by {self.growth_mib():.1f} MiB: {[round(mib, 1) for mib in self.resident]}")
        if self.tidegate.api.route()["latched"]:
            found.append("the gate reverted")
        return found

    def summary(self):
        mirrored = self.tidegate.api.route()["mirror"]["mirrored"]
        return (f"{len(self.resident)} laps, {self.visits:,} visits, {self.changes} changes, {mirrored:,} copies: "
                f"{self.resident[WARM_UP]:.1f} MiB after the warm-up, {self.resident[-1]:.1f} at the end "
                f"(growth {self.growth_mib():+.1f}), descriptors as at the start, {sum(self.failed.values())} failed; seed {self.seed}")
