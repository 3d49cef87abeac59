"""The client of HTTP/1.1: runs wrk and reads its report."""

import os
import re
from dataclasses import dataclass

import report

SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
SCRIPT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "wrk.lua")


@dataclass(frozen=True)
class Errors(report.Errors):
    not_2xx: int = 0
    connect: int = 0
    read: int = 0
    write: int = 0
    timeout: int = 0


def seconds_of(text):
    """'1.23ms' -> 0.00123"""
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(number) * SECONDS[unit]


def parse(text):
    def one(pattern):
        found = re.search(pattern, text, re.MULTILINE)
        if not found:
            raise report.NotAReport(f"wrk's report has no {pattern!r}:\n{text}")
        return found.groups()

    requests, duration, size, unit = one(r"^\s*(\d+) requests in ([\d.]+[a-z]+), ([\d.]+)([KMGT]?B) read")
    sockets = re.search(r"^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text, re.MULTILINE)
    refused = re.search(r"^\s*Non-2xx or 3xx responses: (\d+)", text, re.MULTILINE)
    counts = [int(count) for count in sockets.groups()] if sockets else [0, 0, 0, 0]
    return report.Report(requests=int(requests), seconds=seconds_of(duration), bytes_read=float(size) * BYTES[unit],
                         requests_per_second=float(one(r"^Requests/sec:\s+([\d.]+)")[0]),
                         p50_ms=seconds_of(one(r"^\s+50%\s+(\S+)")[0]) * 1e3,
                         p99_ms=seconds_of(one(r"^\s+99%\s+(\S+)")[0]) * 1e3,
                         p999_ms=float(one(r"^p99\.9 (\d+) us")[0]) / 1e3,
                         errors=Errors(int(refused.group(1)) if refused else 0, *counts))


def arguments(url, connections, seconds, headers=(), upload=0):
    """One thread: the client has one core. The timeout is shorter than the proxies', so what hangs is seen here."""
    command = ["wrk", "--latency", "--threads", "1", "--connections", str(connections),
               "--duration", f"{seconds}s", "--timeout", "5s", "--script", SCRIPT]
    for header in headers:
        command += ["--header", header]
    return command + [url, "--", str(upload)]
