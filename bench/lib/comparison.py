"""One scenario: its proxies take turns (A B C A B C ...), each turn is a warm-up and a measurement."""

import time
from dataclasses import asdict, dataclass

import accounting
import wrk
from scenarios import SHARE_TOLERANCE

WARM_UP_SECONDS = 1
GRACE_SECONDS = 20  # for wrk to end after its time


@dataclass(frozen=True)
class Cores:
    proxy: int
    client: int


@dataclass(frozen=True)
class Measurement:
    requests: int
    errors: int
    problem: str                  # empty when all went well
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float                 # a request
    user_us: float                # of that; None when too short to tell
    system_us: float
    resident_mib: float
    busy: float                   # part of the time that the proxy was on its core
    waited: float                 # part of the time that it was ready and others had the core: the noise
    share_of_new: float           # requests that arrived at new / requests of the client


def measurement(report, used, wall_seconds, resident_kib, arrived_at_new, scenario):
    """The figures of one turn, from what wrk said and the kernel counted meanwhile."""
    requests = max(report.requests, 1)
    share = arrived_at_new / requests
    cpu_us = used.run_ns / 1e3 / requests
    user = used.user_share()
    return Measurement(
        requests=report.requests, errors=report.errors.total(), problem=problem(report, share, scenario),
        requests_per_second=report.requests_per_second, p50_ms=report.p50_ms, p99_ms=report.p99_ms,
        cpu_us=cpu_us, user_us=None if user is None else cpu_us * user,
        system_us=None if user is None else cpu_us * (1 - user), resident_mib=resident_kib / 1024,
        busy=used.run_ns / 1e9 / wall_seconds, waited=used.wait_ns / 1e9 / wall_seconds, share_of_new=share)


def problem(report, share, scenario):
    if report.errors.total():
        return f"errors: {report.errors}"
    if not report.requests:
        return "no request was answered"
    if report.bytes_read < report.requests * scenario.body * 0.99:  # wrk prints three digits of the bytes
        return f"answers of {report.bytes_read / report.requests:.0f} bytes instead of {scenario.body}"
    if abs(share - scenario.share_of_new()) > SHARE_TOLERANCE + in_flight_share(report):
        return f"{share:.1%} of the requests arrived at new instead of {scenario.share_of_new():.0%}"
    return ""


def in_flight_share(report):
    """What wrk leaves in flight at its end counts at the origins only; among few requests (large ones) that weighs more."""
    return 100 / max(report.requests, 1)


class Comparison:
    def __init__(self, scenario, connections, processes, peers, origins, cores):
        self.scenario = scenario
        self.connections = scenario.connections or connections
        self.processes = processes
        self.old, self.new = origins
        self.cores = cores
        self.started = {name: peers[name].start(processes, scenario, self.old.port, self.new.port, cores.proxy)
                        for name in scenario.peers}
        self.rounds = {name: [] for name in scenario.peers}

    def turn(self, name, seconds):
        process, port = self.started[name]
        self.load(port, WARM_UP_SECONDS)
        arrived = self.new.requests()
        used, begin = accounting.usage(process.pid), time.monotonic()
        report = self.load(port, seconds)
        wall = time.monotonic() - begin
        used = accounting.usage(process.pid).since(used)
        arrived = self.new.requests() - arrived - 1  # the question itself
        result = measurement(report, used, wall, accounting.resident_kib(process.pid), arrived, self.scenario)
        self.rounds[name].append(result)
        return result

    def load(self, port, seconds):
        command = wrk.arguments(f"http://127.0.0.1:{port}{self.scenario.path}", self.connections, seconds,
                                self.scenario.headers)
        return wrk.parse(self.processes.run(command, self.cores.client, seconds + GRACE_SECONDS))

    def end(self):
        self.processes.end([process for process, _ in self.started.values()])

    def problems(self):
        return [f"{self.scenario.name}, {name}, round {number}: {result.problem}"
                for name, results in self.rounds.items() for number, result in enumerate(results, 1) if result.problem]

    def as_json(self):
        return {"name": self.scenario.name, "title": self.scenario.title, "connections": self.connections,
                "rounds": {name: [asdict(result) for result in results] for name, results in self.rounds.items()}}
