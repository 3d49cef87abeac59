"""The client of TLS handshakes: runs handshakes/handshakes.cpp and reads its report. It is the program that CMake built beside
Tidegate (TIDEGATE_BENCH=ON), else one is built into build/bench/."""

import json
from dataclasses import dataclass

import built
import report

PROGRAM = built.Program("handshakes", "bench_handshakes", libraries=("-lssl", "-lcrypto"))


@dataclass(frozen=True)
class Errors(report.Errors):
    connect: int = 0
    handshake: int = 0
    resumed: int = 0                # a handshake that was not a full one measures something else
    read: int = 0
    answer: int = 0                 # not 200, or not of the right length
    timeout: int = 0


def arguments(port, connections, seconds, body):
    return [PROGRAM.ready(), str(port), str(connections), str(seconds), str(body)]


def parse(text):
    """A request is a connection is a full handshake."""
    try:
        said = json.loads(text)
        errors = Errors(*(said[kind] for kind in ("connect", "handshake", "resumed", "read", "answer", "timeout")))
        if said["handshakes"] < said["requests"]:
            raise report.NotAReport(f"fewer handshakes than answers: {text}")
        return report.Report(requests=said["requests"], seconds=said["seconds"], bytes_read=said["bytes"],
                             requests_per_second=said["requests"] / said["seconds"], p50_ms=said["p50_us"] / 1e3,
                             p99_ms=said["p99_us"] / 1e3, p999_ms=said["p999_us"] / 1e3, errors=errors)
    except (ValueError, KeyError) as problem:
        raise report.NotAReport(f"not a report of handshakes ({problem}):\n{text}") from problem
