"""One scenario: its proxies take turns (A B C A B C ...), each turn is a warm-up and a measurement."""

import time
from dataclasses import asdict, dataclass

import accounting
import clients
import figures
import proof
import scenarios
import table

WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Cores:
    proxy: int
    client: int


@dataclass(frozen=True)
class Bench:
    """What all scenarios of a run share."""
    processes: object
    peers: dict
    origins: tuple                # old, new
    cores: Cores
    files: int                    # that a process may have open

    def start(self, name, scenario):
        old, new = (origin.port_for(scenario) for origin in self.origins)
        process, port = self.peers[name].start(self.processes, scenario, old, new, self.cores.proxy)
        proof.check(self, name, scenario, port)
        return process, port

    def client(self, scenario, port, connections, seconds, rate=None):
        return clients.Client(self.processes, self.cores.client, scenario, port, connections, seconds, rate)

    def load(self, scenario, port, connections, seconds):
        client = self.client(scenario, port, connections, seconds)
        client.ask()
        return client.report()


@dataclass(frozen=True)
class Measurement:
    requests: int
    errors: int
    problem: str                  # empty when all went well
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    cpu_us: float                 # a request
    user_us: float                # of that; None when too short to tell
    system_us: float
    resident_mib: float
    busy: float                   # part of the time that the proxy was on its core
    waited: float                 # part of the time that it was ready and others had the core: the noise
    share_of_new: float           # requests that arrived at new / requests of the client


def measurement(report, used, wall_seconds, resident_kib, arrived_at_new, scenario, slack):
    """The figures of one turn, from what the client said and the kernel counted meanwhile. `slack`: requests that may have arrived
    without being counted by the client; None = the proxy does not split by request."""
    requests = max(report.requests, 1)
    share = arrived_at_new / scenario.requests_at_origin() / requests
    cpu_us = used.run_ns / 1e3 / requests
    user = used.user_share()
    return Measurement(
        requests=report.requests, errors=report.errors.total(), problem=problem(report, share, scenario, slack),
        requests_per_second=report.requests_per_second, p50_ms=report.p50_ms, p99_ms=report.p99_ms, p999_ms=report.p999_ms,
        cpu_us=cpu_us, user_us=None if user is None else cpu_us * user,
        system_us=None if user is None else cpu_us * (1 - user), resident_mib=resident_kib / 1024,
        busy=used.run_ns / 1e9 / wall_seconds, waited=used.wait_ns / 1e9 / wall_seconds, share_of_new=share)


def problem(report, share, scenario, slack):
    if report.errors.total():
        return f"errors: {report.errors}"
    if not report.requests:
        return "no request was answered"
    if report.bytes_read < report.requests * scenario.body * 0.99:  # wrk prints three digits of the bytes
        return f"answers of {report.bytes_read / report.requests:.0f} bytes instead of {scenario.body}"
    if slack is not None and abs(share - scenario.share_of_new()) > scenarios.SHARE_TOLERANCE + slack / report.requests:
        return f"{share:.1%} of the requests arrived at new instead of {scenario.share_of_new():.0%}"
    return ""


class Comparison:
    HEADINGS = table.HEADINGS
    row = staticmethod(table.row)
    RATIOS = figures.RATIOS
    PICTURE = "cpu_us"            # what a picture shows

    def __init__(self, scenario, connections, bench):
        self.scenario = scenario
        self.connections = scenario.connections or connections
        self.bench = bench
        # Rows: (peer, the scenario that it is set up and asked for).
        self.parts = {name: (name, scenario) for name in scenario.peers if name in bench.peers}
        self.parts |= {baseline_label(name, scenario): (name, scenarios.named(scenario.baseline))
                       for name in scenario.baseline_peers if name in bench.peers}
        self.started = {label: bench.start(*part) for label, part in self.parts.items()}
        self.rounds = {label: [] for label in self.parts}

    def turn(self, label, seconds):
        peer, scenario = self.parts[label]
        process, port = self.started[label]
        new = self.bench.origins[1]
        rate = self.bench.load(scenario, port, self.connections, WARM_UP_SECONDS).requests_per_second
        arrived = new.requests()
        client = self.bench.client(scenario, port, self.connections, seconds, rate)
        used, begin = accounting.usage(process.pid), time.monotonic()
        client.ask()
        wall = time.monotonic() - begin
        used = accounting.usage(process.pid).since(used)
        arrived = new.requests() - arrived - 1  # the question itself
        report = client.report()
        # What a client leaves in flight at its end counts at the origins only; among few requests (large ones) that weighs more.
        slack = 100 + self.connections * max(scenario.streams, 1) if self.bench.peers[peer].splits_requests else None
        result = measurement(report, used, wall, accounting.resident_kib(process.pid), arrived, scenario, slack)
        self.rounds[label].append(result)
        return f"{result.cpu_us:.1f} us/request, {result.requests_per_second:,.0f} requests/s", result.problem

    def pairs(self):
        """Whose figures are divided by whose: Tidegate's by each peer's, and everybody's by its own baseline's."""
        own = [("tidegate", label) for label in self.scenario.peers if label != "tidegate"]
        base = [(name, baseline_label(name, self.scenario)) for name in self.scenario.baseline_peers]
        return [pair for pair in own + base if pair[0] in self.rounds and pair[1] in self.rounds]

    def title(self, seconds):
        count = len(next(iter(self.rounds.values())))
        connections = f"{self.connections:,} connection{'s' if self.connections > 1 else ''}"
        streams = f" of {self.scenario.streams} streams" if self.scenario.http2() else ""
        return (f"{self.scenario.name}: {self.scenario.title}; {connections}{streams}, "
                f"{count} round{'s' if count > 1 else ''} of {seconds} s; median (lowest..highest)")

    def end(self):
        self.bench.processes.end([process for process, _ in self.started.values()])

    def problems(self):
        return [f"{self.scenario.name}, {label}, round {number}: {result.problem}"
                for label, results in self.rounds.items() for number, result in enumerate(results, 1) if result.problem]

    def as_json(self):
        return {"name": self.scenario.name, "title": self.scenario.title, "connections": self.connections,
                "rounds": {label: [asdict(result) for result in results] for label, results in self.rounds.items()}}


def baseline_label(name, scenario):
    return f"{name}, {scenario.baseline}"
