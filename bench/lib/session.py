"""The order of a run: find the peers, start the origins, then scenario after scenario, and say what was seen."""

import os
import sys

import clients
import idle
import origins
import peers
import picture
import results
import syscalls
import table
from comparison import Bench, Comparison, Cores
from processes import NotStarted, Processes, raise_file_limit
from scenarios import SCENARIOS, named


def chosen(names, only_keepalive=False):
    if not names:
        return [named("keepalive")] if only_keepalive else [scenario for scenario in SCENARIOS if scenario.by_default]
    if "all" in names:
        return SCENARIOS
    return [named(name) for name in dict.fromkeys(names)]


def pick_cores():
    """The bench itself stays on the client's."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise NotStarted("two cores are needed, one for the proxy and one for client and origins")
    os.sched_setaffinity(0, {cpus[-1]})
    return Cores(proxy=cpus[0], client=cpus[-1]), len(cpus)


def run(options, directory):
    measured = chosen(options.scenario, only_keepalive=options.syscalls)
    problems = clients.missing(measured)
    if problems:
        raise NotStarted("\n".join(problems))
    compared, left_out = peers.find(options.peers)
    for line in left_out:
        print(f"bench/run: {line}", file=sys.stderr)
    cores, cpus = pick_cores()
    versions = {name: peer.version() for name, peer in compared.items()}
    print(", ".join(f"{name} {version}" for name, version in versions.items()),
          f"· {cpus} cores: one for the proxy, one for client and origins", flush=True)
    comparisons = []
    with Processes(directory) as processes:
        both = tuple(origins.start(processes, name, cores.client) for name in ("old", "new"))
        bench = Bench(processes, compared, both, cores, raise_file_limit())
        if options.syscalls:
            return 1 if syscalls.run(bench, measured, options.connections) else 0
        for scenario in measured:
            if set(scenario.peers) & set(compared):
                comparisons.append(compare(scenario, bench, options))
            else:
                print(f"bench/run: {scenario.name}: none of the peers takes part", file=sys.stderr)
    return report(options, comparisons, {"versions": versions, "cores": cpus, "seconds": options.seconds})


def compare(scenario, bench, options):
    comparison = idle.Idle(scenario, bench) if scenario.idle else Comparison(scenario, options.connections, bench)
    rounds = min(options.rounds, idle.MOST_ROUNDS) if scenario.idle else options.rounds
    for number in range(1, rounds + 1):
        for label in comparison.rounds:
            figures, problem = comparison.turn(label, options.seconds)
            print(f"{scenario.name} {number}/{rounds} {label}: {figures}{', ' + problem if problem else ''}",
                  file=sys.stderr, flush=True)
    comparison.end()
    print("\n" + table.text(comparison, options.seconds) + "\n", flush=True)
    return comparison


def report(options, comparisons, about):
    data = {**about, "scenarios": [results.scenario(comparison) for comparison in comparisons]}
    if options.json:
        results.write(options.json, data)
    if options.svg:
        picture.write(options.svg, data)
    problems = [problem for comparison in comparisons for problem in comparison.problems()]
    for problem in problems:
        print(f"bench/run: {problem}", file=sys.stderr)
    return 1 if problems else 0
