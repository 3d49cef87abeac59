"""The memory of idle connections: each client connection makes one request, is kept, and its share of the proxy's resident
memory is taken. What the kernel holds for a socket is not part of that. A turn is a fresh proxy, because an allocator keeps
what the turn before has used."""

import dataclasses
import select
import socket
import time
from dataclasses import asdict, dataclass

import accounting
import table

SETTLE_SECONDS = 0.5
TIMEOUT_SECONDS = 5
OTHER_FILES = 600        # a proxy's and the client's, beyond connections
MOST_ROUNDS = 3          # memory hardly varies


@dataclass(frozen=True)
class IdleMeasurement:
    connections: int
    errors: int
    problem: str
    before_mib: float
    after_mib: float
    kib_each: float


def possible(wanted, files):
    """A proxy may want two files for each connection (HAProxy refuses to start without)."""
    return max(1, min(wanted, (files - OTHER_FILES) // 2))


def measurement(opened, errors, before_kib, after_kib):
    problem = f"errors: {errors} of {opened} connections were refused, answered wrongly or closed" if errors else ""
    return IdleMeasurement(opened, errors, problem, before_kib / 1024, after_kib / 1024, (after_kib - before_kib) / opened)


class Idle:
    HEADINGS = ("", "KiB each", "MiB before", "MiB after", "errors")
    RATIOS = {"kib_each": "memory"}
    PICTURE = "kib_each"

    def __init__(self, scenario, bench):
        self.connections = possible(scenario.connections, bench.files)
        self.wanted = scenario.connections
        self.scenario = dataclasses.replace(scenario, connections=self.connections)
        self.bench = bench
        self.rounds = {name: [] for name in scenario.peers if name in bench.peers}

    def turn(self, name, _seconds):
        process, port = self.bench.start(name, self.scenario)
        self.open(port, 1)[0][0].close()
        time.sleep(SETTLE_SECONDS)
        before = accounting.resident_kib(process.pid)
        connections, errors = self.open(port, self.connections)
        time.sleep(SETTLE_SECONDS)
        after = accounting.resident_kib(process.pid)
        errors += ended(connections)
        for connection in connections:
            connection.close()
        self.bench.processes.end([process])
        result = measurement(self.connections, errors, before, after)
        self.rounds[name].append(result)
        return f"{result.kib_each:.1f} KiB each", result.problem

    def open(self, port, count):
        """(those that got the right answer, how many did not)"""
        connections = []
        for _ in range(count):
            connection = socket.socket()
            connection.settimeout(TIMEOUT_SECONDS)
            try:
                connection.connect(("127.0.0.1", port))
                connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                right = whole(connection, self.scenario.body)
            except OSError:
                right = False
            if right:
                connections.append(connection)
            else:
                connection.close()
        return connections, count - len(connections)

    def pairs(self):
        return [("tidegate", name) for name in self.rounds if name != "tidegate" and "tidegate" in self.rounds]

    def title(self, _seconds):
        limited = f" (limit of open files; {self.wanted:,} were wanted)" if self.connections < self.wanted else ""
        count = len(next(iter(self.rounds.values())))
        return (f"{self.scenario.name}: {self.scenario.title}; {self.connections:,} connections{limited}, "
                f"{count} round{'s' if count > 1 else ''}; median (lowest..highest)")

    @staticmethod
    def row(name, get, errors):
        return (name, table.spread(get("kib_each"), 2), table.median(get("before_mib"), 1), table.median(get("after_mib"), 1),
                str(errors))

    def end(self):
        pass

    def problems(self):
        return [f"{self.scenario.name}, {name}, round {number}: {result.problem}"
                for name, results in self.rounds.items() for number, result in enumerate(results, 1) if result.problem]

    def as_json(self):
        return {"name": self.scenario.name, "title": self.scenario.title, "connections": self.connections,
                "rounds": {name: [asdict(result) for result in results] for name, results in self.rounds.items()}}


def whole(connection, body):
    """Reads one answer; whether it was 200 with so many bytes."""
    received = b""
    while b"\r\n\r\n" not in received or len(received) < received.index(b"\r\n\r\n") + 4 + body:
        part = connection.recv(65536)
        if not part:
            return False
        received += part
    return received.startswith(b"HTTP/1.1 200")


def ended(connections):
    """How many the proxy has closed meanwhile: nothing else makes an idle one readable."""
    poll = select.poll()
    for connection in connections:
        poll.register(connection, select.POLLIN)
    return len(poll.poll(0))
