"""The client of HTTP/2: runs h2load (package nghttp2-client) and reads its report. Percentiles, which the report has not, are of
its log: a line for each request, with the time that it took.

With a number of requests every one of them has to come back. With a duration h2load says nothing of those that were lost with a
connection, so that is for warming up only."""

import os
import re
from dataclasses import dataclass

import report

MESSAGE_BYTES = 100                       # of a request of gRPC
GRPC_FIELDS = ("content-type: application/grpc", "te: trailers")


@dataclass(frozen=True)
class Errors(report.Errors):
    not_2xx: int = 0
    failed: int = 0
    errored: int = 0
    timeout: int = 0

    def total(self):
        return max(self.not_2xx, self.failed)  # h2load counts all others as failed too


def duration(seconds):
    return f"--duration={seconds}"


def number(requests, connections):
    """h2load wants one for each connection at least."""
    return f"--requests={max(requests, connections)}"


def message(size):
    """A message as gRPC frames it: not compressed, its length, its bytes."""
    return b"\0" + size.to_bytes(4, "big") + b"x" * size


def arguments(url, connections, streams, end, log, headers=(), upload=""):
    """`end`: `duration(...)` or `number(...)`; `log`: the file that gets a line for each request; `upload`: a file to post. One thread:
    the client has one core."""
    command = ["h2load", "--threads=1", f"--clients={connections}", f"--max-concurrent-streams={streams}", end, f"--log-file={log}"]
    for header in headers:
        command += ["--header", header]
    return command + ([f"--data={upload}"] if upload else []) + [url]


def percentile(ordered, part):
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0


def parse_log(text):
    """The microseconds of every request that was answered, in order of size: start, status, duration."""
    return sorted(int(line.split()[2]) for line in text.splitlines())


def parse(text, log):
    def one(pattern):
        found = re.search(pattern, text, re.MULTILINE)
        if not found:
            raise report.NotAReport(f"h2load's report has no {pattern!r}:\n{text}")
        return [int(number) for number in found.groups()]

    _total, _started, done, succeeded, failed, errored, timeout = one(
        r"^requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
    _2xx, _3xx, client_errors, server_errors = one(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")
    data = one(r"^traffic: \S+ \(\d+\) total, \S+ \(\d+\) headers \(space savings \S+\), \S+ \((\d+)\) data")[0]
    seconds, per_second = re.search(r"^finished in ([\d.]+m?s), ([\d.]+) req/s", text, re.MULTILINE).groups()
    times = parse_log(log)
    if len(times) != done or succeeded > done:
        raise report.NotAReport(f"h2load says {done} requests, its log has {len(times)}:\n{text}")
    seconds = float(seconds[:-2]) / 1e3 if seconds.endswith("ms") else float(seconds[:-1])
    p50, p99, p999 = (percentile(times, part) / 1e3 for part in (0.5, 0.99, 0.999))
    # What was under way on a connection that broke is failed and not done.
    return report.Report(requests=done, seconds=seconds, bytes_read=data, requests_per_second=float(per_second), p50_ms=p50,
                         p99_ms=p99, p999_ms=p999, errors=Errors(client_errors + server_errors, failed, errored, timeout))
