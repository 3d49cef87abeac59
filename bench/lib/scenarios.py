"""What is measured. A new scenario is one more object in the list; what it needs beyond these fields goes into the
configurations of peers/."""

from dataclasses import dataclass

import origins

EVERYONE = ("tidegate", "haproxy", "nginx", "nghttpx", "envoy", "floor")
PROXIES = EVERYONE[:-1]        # those that know what a request is
ROUTERS = PROXIES[:3]
TERMINATORS = PROXIES[:4]      # those that are set up for TLS and HTTP/2
MULTIPLEXERS = ("tidegate", "haproxy", "nghttpx")   # HTTP/2 to the origin as well: NGINX speaks it there for gRPC alone
MANY_ROUTES = 1000
SHARE_TOLERANCE = 0.01         # of the requests
CAPACITY = 4000                # connections of clients that a proxy must take


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    weight: int = 10               # percent of the requests that new answers
    mirror: int = 0                # percent of the requests that new gets as a copy
    path: str = "/"
    body: int = origins.SMALL      # bytes that the answer must have
    upload: int = 0                # bytes of the request's body; makes it a POST
    connections: int = 0           # 0 = what --connections says
    headers: tuple = ()            # that the client sends
    tls: bool = False              # TLS 1.3 downstream
    handshakes: bool = False       # a connection and a full handshake for every request
    streams: int = 0               # at a time on a connection; more than 0: the client speaks HTTP/2
    http2_upstream: bool = False
    grpc: bool = False             # unary calls
    access_log: bool = False       # Tidegate's; the peers never log
    routed_by: str = ""            # "host" or "prefix": MANY_ROUTES routes of that kind; "" = one route for everything
    idle: bool = False             # no load: memory of `connections` kept ones (idle.py)
    baseline: str = ""             # another scenario that takes turns with this one ...
    baseline_peers: tuple = ()     # ... in these peers: what this scenario adds to it
    peers: tuple = EVERYONE
    by_default: bool = False

    def share_of_new(self):
        """Requests that arrive at new, as a part of those that the client made."""
        return (self.weight + self.mirror) / 100

    def http2(self):
        return self.streams > 0

    def requests_at_origin(self):
        """An origin asks itself once more after an upload (origins.py)."""
        return 2 if self.upload else 1

    def capacity(self):
        return max(CAPACITY, self.connections + 50)

    def hosts(self):
        return [f"h{n}.example.com" for n in range(MANY_ROUTES)] if self.routed_by == "host" else []

    def prefixes(self):
        return [f"/p{n}" for n in range(MANY_ROUTES)] if self.routed_by == "prefix" else []


SCENARIOS = [
    Scenario("keepalive", "1 KiB answers, kept connections, split 90/10", by_default=True),
    Scenario("mirror", "1 KiB answers, all to old, 100 % mirrored to new", weight=0, mirror=100,
             peers=("tidegate", "nginx", "envoy"), by_default=True),
    Scenario("connection", "1 KiB answers, a new connection for every request, split 90/10", headers=("Connection: close",),
             peers=PROXIES, by_default=True),
    Scenario("single", "1 KiB answers, one kept connection, split 90/10", connections=1),
    Scenario("many", "1 KiB answers, 1,000 kept connections, split 90/10", connections=1000),
    Scenario("large", "1 MiB answers, kept connections, split 90/10", path="/large", body=origins.LARGE),
    Scenario("upload", "1 MiB request bodies, kept connections, split 90/10", path="/upload", upload=origins.LARGE),
    Scenario("tls", "TLS 1.3 to HTTP/1.1, 1 KiB answers, kept connections, split 90/10", tls=True, peers=TERMINATORS),
    Scenario("tls_large", "TLS 1.3 to HTTP/1.1, 1 MiB answers, kept connections, split 90/10", tls=True, path="/large",
             body=origins.LARGE, peers=TERMINATORS),
    Scenario("handshakes", "a full TLS 1.3 handshake for every request, split 90/10", tls=True, handshakes=True,
             peers=TERMINATORS),
    Scenario("h2", "HTTP/2 to HTTP/1.1, 1 KiB answers, split 90/10", connections=16, streams=10, peers=TERMINATORS),
    Scenario("h2_h2", "HTTP/2 to HTTP/2, 1 KiB answers, split 90/10", connections=16, streams=10, http2_upstream=True,
             peers=MULTIPLEXERS),
    Scenario("grpc", "gRPC, unary calls of 1 KiB answers, split 90/10", connections=16, streams=10, http2_upstream=True,
             grpc=True, path=origins.CALL, peers=TERMINATORS),
    Scenario("log", "as keepalive, Tidegate alone writes an access log", access_log=True, peers=ROUTERS,
             baseline="keepalive", baseline_peers=("tidegate",)),
    Scenario("hosts", "as keepalive, 1,000 routes by host, the last one asked for", routed_by="host", peers=ROUTERS,
             headers=(f"Host: h{MANY_ROUTES - 1}.example.com",), baseline="keepalive", baseline_peers=ROUTERS),
    Scenario("prefixes", "as keepalive, 1,000 routes by prefix, the last one asked for", routed_by="prefix", peers=ROUTERS,
             path=f"/p{MANY_ROUTES - 1}/x", baseline="keepalive", baseline_peers=ROUTERS),
    Scenario("idle", "memory of kept connections after one request", connections=10000, idle=True,
             peers=PROXIES),
]


def named(name):
    return next(scenario for scenario in SCENARIOS if scenario.name == name)
