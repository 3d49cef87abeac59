"""Arguments, the order of a run, and its end. Exit codes: 0 all well, 1 errors were seen or something did not start,
2 usage, 130 interrupted."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict

import figures
import origins
import peers
import self_test
import table
import wrk
from comparison import Comparison, Cores
from processes import NotStarted, Processes
from scenarios import SCENARIOS, named


def parse(arguments):
    def at_least_one(text):
        value = int(text)
        if value < 1:
            raise argparse.ArgumentTypeError("must be 1 or more")
        return value

    names = [scenario.name for scenario in SCENARIOS]
    listing = "\n".join(f"  {s.name:<11} {s.title}{' *' if s.by_default else ''}" for s in SCENARIOS)
    parser = argparse.ArgumentParser(
        prog="bench/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compares Tidegate with HAProxy and NGINX, side by side in one run.",
        epilog=f"scenarios (* = without --scenario):\n{listing}\n\n"
               "TIDEGATE_BIN names the program, default build/release/tidegate.")
    parser.add_argument("--scenario", action="append", choices=names + ["all"], metavar="NAME",
                        help="may be repeated; all = every one")
    parser.add_argument("--rounds", type=at_least_one, default=5, help="turns of each proxy (default 5)")
    parser.add_argument("--seconds", type=at_least_one, default=3, help="of one measurement (default 3)")
    parser.add_argument("--connections", type=at_least_one, default=64, help="of the client (default 64)")
    parser.add_argument("--json", metavar="FILE", help="write every measurement and the medians there")
    parser.add_argument("--self-test", action="store_true", help="test the bench's own parsers and sums, and end")
    return parser.parse_args(arguments)


def chosen(names):
    if not names:
        return [scenario for scenario in SCENARIOS if scenario.by_default]
    if "all" in names:
        return SCENARIOS
    return [named(name) for name in dict.fromkeys(names)]


def pick_cores():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise NotStarted("two cores are needed, one for the proxy and one for client and origins")
    return Cores(proxy=cpus[0], client=cpus[-1])


def run(options, directory):
    cores, compared = pick_cores(), peers.all_peers()
    versions = {name: peer.version() for name, peer in compared.items()}
    cpus = len(os.sched_getaffinity(0))
    print(", ".join(f"{name} {version}" for name, version in versions.items()),
          f"· {cpus} cores: one for the proxy, one for client and origins", flush=True)
    comparisons = []
    with Processes(directory) as processes:
        both = [origins.start(processes, name, cores.client) for name in ("old", "new")]
        for scenario in chosen(options.scenario):
            comparison = Comparison(scenario, options.connections, processes, compared, both, cores)
            comparisons.append(comparison)
            rounds(comparison, options)
            comparison.end()
            print("\n" + table.text(comparison, options.seconds) + "\n", flush=True)
    if options.json:
        write_json(options, versions, cpus, comparisons)
    problems = [problem for comparison in comparisons for problem in comparison.problems()]
    for problem in problems:
        print(f"bench/run: {problem}", file=sys.stderr)
    return 1 if problems else 0


def rounds(comparison, options):
    for number in range(1, options.rounds + 1):
        for name in comparison.scenario.peers:
            result = comparison.turn(name, options.seconds)
            print(f"{comparison.scenario.name} {number}/{options.rounds} {name}: {result.cpu_us:.1f} us/request, "
                  f"{result.requests_per_second:,.0f} requests/s{', ' + result.problem if result.problem else ''}",
                  file=sys.stderr, flush=True)


def write_json(options, versions, cpus, comparisons):
    def plain(value):
        return None if value is None else asdict(value)

    scenarios = []
    for comparison in comparisons:
        medians = {name: {field: plain(figures.of(results, field)) for field in asdict(results[0]) if field != "problem"}
                   for name, results in comparison.rounds.items()}
        ratios = {name: {field: plain(value) for field, value in values.items()}
                  for name, values in figures.ratios(comparison.rounds).items()}
        scenarios.append({**comparison.as_json(), "medians": medians, "ratios": ratios, "problems": comparison.problems()})
    with open(options.json, "w", encoding="ascii") as file:
        json.dump({"versions": versions, "cores": cpus, "seconds": options.seconds, "scenarios": scenarios}, file, indent=1)
        file.write("\n")


def interrupt(*_):
    # Once is enough: a second signal must not break off the ending of the processes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments):
    options = parse(arguments)
    if options.self_test:
        return self_test.run()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    directory = tempfile.mkdtemp(prefix="tidegate-bench-")
    try:
        return run(options, directory)
    except (NotStarted, wrk.NotAReport, subprocess.TimeoutExpired) as problem:
        print(f"bench/run: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench/run: interrupted, everything ended", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)
