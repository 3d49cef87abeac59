"""Before a proxy is measured: that it does what the scenario says, where the client's report would not show it."""

import os

import certificate
import h2load
from processes import NotStarted

SECONDS = 10


def check(bench, name, scenario, port):
    if scenario.tls:
        seen = certificate.agreed(port)
        if seen != (certificate.VERSION, certificate.SUITE):
            raise NotStarted(f"{scenario.name}, {name}: agreed on {' '.join(seen)} instead of {certificate.SUITE}")
    if scenario.grpc and not ends_with_status(call(bench, port, scenario.path)):
        raise NotStarted(f"{scenario.name}, {name}: no grpc-status after the answer")


def call(bench, port, path):
    """What nghttp says of one call."""
    message = os.path.join(bench.processes.home("call"), "message")
    with open(message, "wb") as file:
        file.write(h2load.message(h2load.MESSAGE_BYTES))
    fields = [argument for field in h2load.GRPC_FIELDS for argument in ("--header", field)]
    command = ["nghttp", "--verbose", "--null-out", f"--data={message}", *fields, f"http://127.0.0.1:{port}{path}"]
    return bench.processes.run(command, bench.cores.client, SECONDS)


def ends_with_status(text):
    """Whether grpc-status 0 came in trailers: after data, before the end of the stream."""
    data = text.find("recv DATA")
    return data >= 0 and "grpc-status: 0" in text[data:]
