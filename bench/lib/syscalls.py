"""System calls a request, by name: strace counts those of all threads of a proxy while wrk runs.

strace stops the proxy at each call, so it is slower than it is and finds more to do in each wake-up: calls that one wake-up
shares among requests (epoll_wait) come out too low at many connections. At one connection nothing is shared."""

import os
import shutil
import signal
import sys

import accounting
import table
from processes import NotStarted

SECONDS = 2
WARM_UP_SECONDS = 1
LEAST = 0.005             # calls a request that are worth a row


def parse(text):
    """{name: calls} of what `strace -c` wrote, without the total."""
    calls, inside = {}, 0
    for line in text.splitlines():
        if line.startswith("------"):
            inside += 1
        elif inside == 1:
            fields = line.split()        # % time, seconds, usecs/call, calls, [errors], name
            calls[fields[-1]] = calls.get(fields[-1], 0) + int(fields[3])
    return calls


def count(bench, scenario, name, connections):
    """(requests, {name: calls})"""
    process, port = bench.start(name, scenario)
    try:
        bench.load(scenario, port, connections, WARM_UP_SECONDS)
        home = bench.processes.home(f"strace-{name}")
        output = os.path.join(home, "counts")
        pids = [argument for pid in accounting.family(process.pid) for argument in ("-p", str(pid))]
        strace = bench.processes.start(home, ["strace", "-c", "-f", "-o", output] + pids, bench.cores.client)
        bench.processes.wait_for(strace, lambda: bench.processes.log_of(strace).count("attached") >= len(pids) // 2)
        report = bench.load(scenario, port, connections, SECONDS)
        bench.processes.end([strace], signal.SIGINT)
    finally:
        bench.processes.end([process])
    with open(output, encoding="ascii") as file:
        return report, parse(file.read())


def text(scenario, connections, counts):
    """A row for each call, a column for each proxy; the most frequent of the first proxy first."""
    rates = {name: {call: number / requests for call, number in calls.items()} for name, (requests, calls) in counts.items()}
    names = sorted({call for calls in rates.values() for call, rate in calls.items() if rate >= LEAST},
                   key=lambda call: [-calls.get(call, 0) for calls in rates.values()])
    rows = [("",) + tuple(rates)]
    rows += [(call,) + tuple(f"{calls[call]:.2f}" if calls.get(call, 0) >= LEAST else "-" for calls in rates.values())
             for call in names]
    rows.append(("all",) + tuple(f"{sum(calls.values()):.2f}" for calls in rates.values()))
    rows.append(("requests",) + tuple(f"{requests:,}" for requests, _ in counts.values()))
    return (f"{scenario.name}: system calls a request under strace; {connections:,} "
            f"connection{'s' if connections > 1 else ''}, {SECONDS} s\n\n" + table.aligned(rows))


def run(bench, chosen, connections):
    """How many proxies failed. One that a tracer slows so much that nothing is answered is named and left out."""
    if not shutil.which("strace"):
        raise NotStarted("no strace: apt-get install strace")
    failed = 0
    for scenario in chosen:
        used, counts = scenario.connections or connections, {}
        for name in () if scenario.idle else [name for name in scenario.peers if name in bench.peers]:
            report, calls = count(bench, scenario, name, used)
            if report.errors.total() or not report.requests:
                print(f"bench/run: {scenario.name}, {name} under strace: {report.requests} requests, "
                      f"errors: {report.errors}", file=sys.stderr)
                failed += 1
            else:
                counts[name] = (report.requests, calls)
        if counts:
            print("\n" + text(scenario, used, counts), flush=True)
    return failed
