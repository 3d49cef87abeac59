"""Arguments, and the end of a run. Exit codes: 0 all well, 1 errors were seen or something did not start, 2 usage,
130 interrupted."""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile

import peers
import picture
import report
import results
import self_test
import session
from processes import NotStarted
from scenarios import SCENARIOS


def at_least_one(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def peer_names(text):
    names = text.split(",")
    for name in names:
        if name not in peers.NAMES:
            raise argparse.ArgumentTypeError(f"no peer {name!r}; there are {', '.join(peers.NAMES)}")
    return names


def parse(arguments):
    names = [scenario.name for scenario in SCENARIOS]
    listing = "\n".join(f"  {s.name:<11} {s.title}{' *' if s.by_default else ''}" for s in SCENARIOS)
    parser = argparse.ArgumentParser(
        prog="bench/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compares Tidegate with other proxies and with a bare copy loop, side by side in one run.",
        epilog=f"scenarios (* = without --scenario):\n{listing}\n\npeers: {', '.join(peers.NAMES)}\n\n"
               "TIDEGATE_BIN names the program, default build/release/tidegate; ENVOY names Envoy's, default `envoy` on the PATH.")
    parser.add_argument("--scenario", action="append", choices=names + ["all"], metavar="NAME",
                        help="may be repeated; all = every one")
    parser.add_argument("--peers", type=peer_names, metavar="A,B", help="only these (default all, Envoy and nghttpx if found)")
    parser.add_argument("--rounds", type=at_least_one, default=5, help="turns of each proxy (default 5)")
    parser.add_argument("--seconds", type=at_least_one, default=3, help="of one measurement (default 3)")
    parser.add_argument("--connections", type=at_least_one, default=64, help="of the client (default 64)")
    parser.add_argument("--json", metavar="FILE", help="write every measurement and the medians there")
    parser.add_argument("--svg", metavar="FILE", help="draw the medians there")
    parser.add_argument("--from", action="append", dest="earlier", metavar="FILE",
                        help="measure nothing: draw (--svg) what earlier runs wrote with --json; may be repeated")
    parser.add_argument("--syscalls", action="store_true",
                        help="measure nothing else: count system calls a request with strace (in keepalive)")
    parser.add_argument("--self-test", action="store_true", help="test the bench's own parsers and sums, and end")
    options = parser.parse_args(arguments)
    if options.earlier and not options.svg:
        parser.error("--from needs --svg")
    return options


def interrupt(*_):
    # Once is enough: a second signal must not break off the ending of the processes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments):
    options = parse(arguments)
    if options.self_test:
        return self_test.run()
    if options.earlier:
        picture.write(options.svg, results.merge(options.earlier))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    directory = tempfile.mkdtemp(prefix="tidegate-bench-")
    try:
        return session.run(options, directory)
    except (NotStarted, report.NotAReport, subprocess.SubprocessError) as problem:
        print(f"bench/run: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench/run: interrupted, everything ended", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(directory, ignore_errors=True)
