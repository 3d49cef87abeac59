"""Very many slow clients at once, while others are served as ever. Issue 6, RELIABILITY.md O1, O19 and V1."""
import gc
import re
import subprocess
import time

import pytest

from harness import Client, Load, eventually, memory_slack
from harness.crowd import at_a_rate, descriptors

pytestmark = [pytest.mark.heavy, pytest.mark.deadline(240)]

IDLE, SENDERS, READERS = 10_000, 2_000, 2_000
REQUESTS = 10_000           # that are normal
RATE = SENDERS + READERS    # moves of the slow ones a second: one each
MEMORY_MIB = 160            # resident, with all of them; SECURITY.md has the reckoning
MORE_MIB = 8                # that the same crowd takes when it comes again
LONG = {"header": "10m", "idle": "10m", "body_idle": "10m"}
NEEDED = IDLE + 2 * SENDERS + 2 * READERS     # of a Tidegate: a connection to a side beside most of these


class Mass:
    """Half of the senders are in a head, half in a body. Readers are on a unix-domain socket: TCP over loopback would hold megabytes in
    the kernel for each."""

    def __init__(self, tidegate, share):
        self.idle = [Client(tidegate.address, timeout=30) for _ in range(int(IDLE * share))]
        self.senders = [Client(tidegate.address, timeout=30) for _ in range(int(SENDERS * share))]
        self.readers = [Client(tidegate.names["readers"], timeout=30) for _ in range(int(READERS * share))]
        for client in self.idle[::2]:   # half of them have been served
            assert client.get("/").status == 200
        half = len(self.senders) // 2
        for client in self.senders[:half]:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
        for client in self.senders[half:]:
            client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst")
        for client in self.readers:
            client.send("GET /size/67108864 HTTP/1.1\r\nHost: a\r\n\r\n")
        self.in_flight = len(self.readers) + len(self.senders) - half

    def all(self):
        return [*self.idle, *self.senders, *self.readers]

    def moves(self):
        """One client after the other sends a byte, or takes a few, for ever."""
        while True:
            for client in self.senders:
                client.send(b"x")
                yield
            for client in self.readers:
                assert client.socket.recv(128), "its answer has ended"
                yield

    def close(self):
        for client in self.all():
            client.close()


@pytest.fixture
def share():
    with descriptors(NEEDED) as allowed:
        if allowed < NEEDED:
            print(f"ulimit -n allows {allowed} descriptors of {NEEDED}: fewer clients")
        yield min(1.0, allowed / NEEDED)


def test_10000_idle_and_2000_slow_senders_and_2000_slow_readers_cost_the_others_no_request(lab, share, tmp_path):
    """Twice: memory that the first crowd took does for the second, so nothing of it was lost."""
    nginx = lab.nginx("old", listen="sndbuf=32k")
    listeners = [{"name": "web", "address": "127.0.0.1:0", "timeouts": LONG},
                 {"name": "readers", "address": f"unix:{tmp_path}/readers.sock", "timeouts": LONG}]
    tidegate = lab.proxy(nginx, listeners=listeners, cluster={"pool": {"connections": 8192, "idle_timeout": "1s"}})
    beside = lab.proxy(nginx)   # without a crowd, asked at the same moments: what else the machine does meets both
    print(f"\nalone: {tidegate.rss_mib():.1f} MiB, {ask(tidegate, beside)}")
    first, second = crowd(lab, tidegate, beside, share), crowd(lab, tidegate, beside, share)
    tidegate.has_only_its_own_descriptors(60)
    assert max(first, second) < MEMORY_MIB * memory_slack()
    assert second < first + MORE_MIB * memory_slack()


def crowd(lab, tidegate, beside, share):
    """@return resident memory with all of them, in MiB"""
    mass = lab.keep(Mass(tidegate, share))
    metric = tidegate.api.metric
    eventually(lambda: metric("tidegate_downstream_connections") >= len(mass.all()), "all of them connected", 60, 0.1)
    eventually(lambda: tidegate.api.route()["in_flight"] >= mass.in_flight, "all of them at work", 60, 0.1)
    at_rest(tidegate)
    with at_a_rate(mass.moves(), RATE * share):
        seen = ask(tidegate, beside)
    assert tidegate.api.route()["in_flight"] >= mass.in_flight, "they are still there"
    most = tidegate.rss_mib()
    mass.close()
    eventually(lambda: metric("tidegate_downstream_connections") + tidegate.api.route()["in_flight"] == 0, "all gone", 60, 0.1)
    print(f"with {len(mass.idle)} idle, {len(mass.senders)} slow senders, {len(mass.readers)} slow readers: {most:.1f} MiB, {seen}; "
          f"{tidegate.rss_mib():.1f} MiB when they have left")
    return most


def at_rest(tidegate):
    """What the kernel takes for them at first is on its way no longer."""
    last = [tidegate.cpu_seconds()]

    def still():
        before, last[0] = last[0], tidegate.cpu_seconds()
        return last[0] - before <= 0.03
    eventually(still, "at rest", 60, 0.3)


def ask(tidegate, beside):
    """Normal requests to both in turn; all have to be answered. @return what is to be printed"""
    took = {tidegate: [], beside: []}
    gc.collect()
    gc.freeze()   # thousands of clients are no work for each collection in between
    with Client(tidegate.address) as with_crowd, Client(beside.address) as without:
        for client in (with_crowd, without):
            client.get("/")
        for _ in range(REQUESTS):
            for proxy, client in ((tidegate, with_crowd), (beside, without)):
                began = time.perf_counter()
                assert client.get("/").status == 200
                took[proxy].append((time.perf_counter() - began) * 1000)
    gc.unfreeze()
    here, there = (percentiles(took[proxy]) for proxy in (tidegate, beside))
    return f"{REQUESTS} normal requests, all answered 200, {here}; beside it, without a crowd, {there}"


def percentiles(took):
    took.sort()
    return f"p50 {took[len(took) // 2]:.2f} ms p99 {took[len(took) * 99 // 100]:.2f} ms"


@pytest.mark.parametrize("mode", ["-H", "-B", "-R", "-X"])
def test_the_modes_of_slowhttptest_leave_the_service_up(lab, mode):
    """Slow heads, slow bodies, ranges by the thousand, slow reads. Whoever is too slow is ended by the timeouts, the others are served."""
    tidegate = lab.proxy(lab.nginx("old", listen="sndbuf=32k"), cluster={"pool": {"idle_timeout": "1s"}},
                         listener={"timeouts": {"header": "2s", "body_idle": "2s", "idle": "5s"}})
    url = tidegate.url("/size/1048576" if mode == "-X" else "/upload" if mode == "-B" else "/")
    with Load(tidegate.address, clients=2, pause=0.005) as load:
        attack = subprocess.run(["slowhttptest", mode, "-c", "300", "-r", "300", "-l", "5", "-i", "1", "-p", "3", "-v", "1", "-u", url],
                                capture_output=True, text=True, timeout=60)
    said = re.sub(r"\x1b\[[0-9;]*[mJH]", "", attack.stdout)
    print(said[-1200:])
    assert "YES" in re.findall(r"service available:\s*(\w+)", said)[-1:], attack.stdout[-2000:]
    assert load.errors == 0 and load.total > 0
    assert tidegate.rss_mib() < MEMORY_MIB * memory_slack()
