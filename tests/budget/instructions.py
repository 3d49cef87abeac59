#!/usr/bin/python3
"""The instruction budget: user-mode instructions that a worker spends on one keep-alive exchange, counted by callgrind,
against the numbers in instructions.json beside this file. Instructions do not depend on the machine's mood, so a test can
hold them; time, caches and the kernel's part stay bench/'s business.

    instructions.py --program build/release/tidegate            checks every case
    instructions.py --program build/release/tidegate mirror     one of them
    instructions.py --program build/release/tidegate --update   measures and writes the file anew

How: the program as released runs under valgrind with one worker, a client that has one request in flight and two scripted
origins. It is run twice, with kWarmUp and with kWarmUp + kRequests requests; the difference of what the worker's thread
executed, divided by kRequests, is the cost of one exchange: starting and ending cancel out, and the ticks of the control
thread are not in the worker's count.

More than `tolerance` above the budget fails; well below it asks for an update and passes. The count is that of one
compiler and one C library: who has others sees so in the message, and may have to update.

It is beside the budget's other tests and not in tests/integration because it wants one program, the released one, and
nothing of the laboratory there except its configuration; ctest runs each case, in the release flavour only."""

import argparse
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from harness import make_config  # noqa: E402 (found only now)

FILE = os.path.join(HERE, "instructions.json")
WARM_UP = 50      # every path was taken and every pool has its size; a multiple of 10, so that 90/10 is exact
REQUESTS = 400    # a multiple of 10 too
SECONDS = 55      # for one run of some three: more is a hang; ctest allows 120 for both
BELOW = 0.10      # this far under the budget asks for an update
WORKER = "tidegate::forward::Worker::run"

# What Firefox sends for a page of a shop.
REQUEST = b"\r\n".join([
    b"GET /catalogue/items?page=3&sort=price HTTP/1.1",
    b"Host: shop.example.org",
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    b"Accept-Language: en-US,en;q=0.5",
    b"Accept-Encoding: gzip, deflate, br",
    b"Connection: keep-alive",
    b"Referer: https://shop.example.org/catalogue/items?page=2&sort=price",
    b"Cookie: session=0f8fad5b-d9cb-469f-a165-70867728950e; theme=dark; consent=yes",
    b"Upgrade-Insecure-Requests: 1",
    b"Sec-Fetch-Dest: document",
    b"Sec-Fetch-Mode: navigate",
    b"Sec-Fetch-Site: same-origin",
    b"\r\n"])
BODY = b"x" * 1024
ANSWER = b"\r\n".join([
    b"HTTP/1.1 200 OK",
    b"Server: nginx/1.22.1",
    b"Date: Tue, 02 Jan 2024 03:04:05 GMT",
    b"Content-Type: text/html; charset=utf-8",
    b"Content-Length: %d" % len(BODY),
    b"Connection: keep-alive",
    b"Cache-Control: no-cache",
    b"Vary: Accept-Encoding",
    b"\r\n"]) + BODY

CASES = {  # what make_config() is given
    "keepalive": {"weight": 10},
    "mirror": {"weight": 0, "route": {"mirror": {"percent": 100}}},
    "access_log": {"weight": 10, "log": {"access": {"path": "/dev/null"}}},
}


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class NotMeasured(Exception):
    pass


def too_late(*_):
    raise NotMeasured(f"it took more than {SECONDS} s")


def end_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Peers:
    """The client and both origins in one thread, so that everything happens in one order: request, answer, the copy's
    answer, next request."""

    def __init__(self):
        self.listeners = [socket.create_server(("127.0.0.1", 0)) for _ in ("old", "new")]
        self.addresses = ["127.0.0.1:%d" % listener.getsockname()[1] for listener in self.listeners]
        self.upstream = {}   # connection: what was received and not yet answered
        self.client = None

    def connect(self, address):
        host, port = address.rsplit(":", 1)
        self.client = socket.create_connection((host, int(port)), timeout=SECONDS)

    def exchange(self, copies):
        """One request, to the end of its answer and of its copies' answers."""
        self.client.sendall(REQUEST)
        answered, received, waiting = False, b"", []
        while not (answered and copies == 0):
            ready, _, _ = select.select([*self.listeners, *self.upstream, self.client], [], [], SECONDS)
            if not ready:
                raise NotMeasured("an exchange did not come to its end")
            for one in ready:
                if one in self.listeners:
                    self.upstream[one.accept()[0]] = b""
                elif one is self.client:
                    received += self.read(one)
                    answered = received.endswith(BODY)
                else:
                    self.upstream[one] += self.read(one)
                    if not self.upstream[one].endswith(b"\r\n\r\n"):
                        continue
                    if b"\r\nx-tidegate-mirror: 1\r\n" in self.upstream[one]:
                        waiting.append(one)
                    else:
                        one.sendall(ANSWER)
                    self.upstream[one] = b""
            while answered and waiting:
                waiting.pop().sendall(ANSWER)
                copies -= 1

    @staticmethod
    def read(connection):
        data = connection.recv(65536)
        if not data:
            raise NotMeasured("a connection ended early")
        return data

    def close(self):
        for one in [*self.listeners, *self.upstream, self.client]:
            if one is not None:
                one.close()


def run(program, case, requests, directory):
    """Instructions of the worker's thread over a whole life with so many requests."""
    peers = Peers()
    old, new = peers.addresses
    config = make_config(old, new, **CASES[case], state={"path": os.path.join(directory, "tidegate.db")})
    path = os.path.join(directory, "tidegate.yaml")
    with open(path, "w") as file:
        json.dump(config, file)
    process = subprocess.Popen(
        ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={directory}/out",
         f"--log-file={directory}/valgrind.log", program, "run", "--config", path],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
    signal.alarm(SECONDS)
    try:
        address, output = None, ""
        for line in process.stderr:
            output += line
            if match := re.search(r"\blistening (?:on )?(\S+:\d+)", line):
                address = match.group(1)
            if re.search(r"\bready\s*$", line):
                break
        else:
            raise NotMeasured(f"it did not become ready:\n{output}")
        peers.connect(address)
        for _ in range(requests):
            peers.exchange(copies=1 if case == "mirror" else 0)
        peers.close()
        process.send_signal(signal.SIGTERM)
        output += process.stderr.read()
        if process.wait() != 0:
            raise NotMeasured(f"it ended with {process.returncode}:\n{output}")
    finally:
        signal.alarm(0)
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stderr.close()
        peers.close()
    return worker_instructions(directory)


def worker_instructions(directory):
    """callgrind writes a file for each thread; the worker's is the one that names its function."""
    found = []
    for name in sorted(os.listdir(directory)):
        if name.startswith("out-"):
            with open(os.path.join(directory, name)) as file:
                text = file.read()
            if WORKER in text:
                found.append(int(re.search(r"^totals: (\d+)", text, re.MULTILINE).group(1)))
    if len(found) != 1:
        raise NotMeasured(f"{len(found)} threads ran {WORKER} instead of one")
    return found[0]


def measure(program, case):
    """Instructions an exchange."""
    counts = []
    for requests in (WARM_UP, WARM_UP + REQUESTS):
        directory = tempfile.mkdtemp(prefix="tidegate-instructions-")
        try:
            counts.append(run(program, case, requests, directory))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    return round((counts[1] - counts[0]) / REQUESTS)


def made_with(program):
    """The compiler that the program says it was made with, and the C library that it runs with."""
    comment = subprocess.run(["readelf", "-p", ".comment", program], capture_output=True, text=True, check=True).stdout
    compiler = re.search(r"\]\s+(.*)", comment)
    return {"compiler": compiler.group(1).strip() if compiler else "unknown", "libc": os.confstr("CS_GNU_LIBC_VERSION")}


def verdict(case, measured, budget, tolerance):
    """(passed, sentence)"""
    share = measured / budget - 1
    text = f"{case}: {measured:,} instructions an exchange, budget {budget:,} ({share:+.1%})"
    if measured > budget * (1 + tolerance):
        return False, f"{text}: more than {tolerance:.0%} over"
    if measured < budget * (1 - BELOW):
        return True, f"{text}: lower the budget (--update)"
    return True, text


def check(program, cases):
    with open(FILE) as file:
        recorded = json.load(file)
    good = True
    for case in cases:
        passed, text = verdict(case, measure(program, case), recorded["instructions"][case], recorded["tolerance"])
        print(text, flush=True)
        good = good and passed
    here = made_with(program)
    differs = {what: value for what, value in here.items() if value != recorded["made_with"][what]}
    if not good and differs:
        print(f"the budget was measured with {recorded['made_with']}, this program has {differs}:\n"
              "see what a build of an older commit has before you blame this one")
    return good


def update(program, cases):
    recorded = {"tolerance": 0.03, "instructions": {}}
    if os.path.exists(FILE):
        with open(FILE) as file:
            recorded = json.load(file)
    recorded["made_with"] = made_with(program)
    for case in cases:
        recorded["instructions"][case] = measure(program, case)
        print(f"{case}: {recorded['instructions'][case]:,}", flush=True)
    with open(FILE, "w") as file:
        json.dump(recorded, file, indent=2)
        file.write("\n")


def self_test():
    assert verdict("x", 103, 100, 0.03)[0] and not verdict("x", 104, 100, 0.03)[0]
    assert verdict("x", 80, 100, 0.03) == (True, "x: 80 instructions an exchange, budget 100 (-20.0%): lower the budget (--update)")
    assert "lower" not in verdict("x", 95, 100, 0.03)[1]
    with open(FILE) as file:
        assert json.load(file)["instructions"].keys() == CASES.keys()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(HERE, "..", "..", "build", "release", "tidegate"))
    parser.add_argument("--update", action="store_true", help="measure and write the file")
    parser.add_argument("--self-test", action="store_true", help="test the sums and the file, and end")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, too_late)
    if options.self_test:
        return self_test()
    unknown = set(options.cases) - CASES.keys()
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}")
    cases = options.cases or list(CASES)
    if options.update:
        update(options.program, cases)
    elif not check(options.program, cases):
        sys.exit(1)


if __name__ == "__main__":
    main()
