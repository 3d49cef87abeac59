"""Who asks, and how: wrk for HTTP/1.1, h2load for HTTP/2, the bench's own client for TLS handshakes.

Asking and reading what the client said are two steps, so that nothing but the client runs while a proxy is measured."""

import os
import shutil

import h2load
import handshakes
import wrk

GRACE_SECONDS = 20  # for a client to end after its time
LOG, UPLOAD = "requests.log", "message"


def missing(scenarios):
    """What has to be installed for these, beyond what every scenario needs."""
    tools = {"h2load": any(scenario.http2() for scenario in scenarios), "nghttp": any(scenario.grpc for scenario in scenarios)}
    problems = [f"no {tool}: apt-get install nghttp2-client" for tool, needed in tools.items() if needed and not shutil.which(tool)]
    if any(scenario.handshakes for scenario in scenarios) and handshakes.PROGRAM.missing():
        problems.append(f"the client of handshakes: {handshakes.PROGRAM.missing()}")
    if any(scenario.tls for scenario in scenarios) and not shutil.which("openssl"):
        problems.append("no openssl: apt-get install openssl")
    return problems


class Client:
    """One load of one proxy: `ask()` runs it, `report()` reads it. `rate`: requests a second that are expected, where they are known;
    with HTTP/2 so many are made as take `seconds` then."""

    def __init__(self, processes, cpu, scenario, port, connections, seconds, rate=None):
        self.processes, self.cpu, self.seconds = processes, cpu, seconds
        self.home = processes.home("client")
        self.scenario = scenario
        url = f"{'https' if scenario.tls else 'http'}://127.0.0.1:{port}{scenario.path}"
        if scenario.handshakes:
            self.command = handshakes.arguments(port, connections, seconds, scenario.body)
        elif scenario.http2():
            end = h2load.duration(seconds) if rate is None else h2load.number(int(rate * seconds), connections)
            self.command = h2load.arguments(url, connections, scenario.streams, end, self.file(LOG),
                                            scenario.headers + (h2load.GRPC_FIELDS if scenario.grpc else ()), self.upload())
        else:
            self.command = wrk.arguments(url, connections, seconds, scenario.headers, scenario.upload)
        self.output = ""

    def file(self, name):
        return os.path.join(self.home, name)

    def upload(self):
        if not self.scenario.grpc:
            return ""
        with open(self.file(UPLOAD), "wb") as file:
            file.write(h2load.message(h2load.MESSAGE_BYTES))
        return self.file(UPLOAD)

    def ask(self):
        self.output = self.processes.run(self.command, self.cpu, self.seconds + GRACE_SECONDS)

    def report(self):
        try:
            if self.scenario.handshakes:
                return handshakes.parse(self.output)
            if self.scenario.http2():
                return h2load.parse(self.output, self.log())
            return wrk.parse(self.output)
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def log(self):
        with open(self.file(LOG), encoding="ascii") as file:
            return file.read()
