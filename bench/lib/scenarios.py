"""What is measured. A new scenario is one more object in the list; what it needs beyond these fields goes into the three
configurations of peers.py."""

from dataclasses import dataclass

import origins

EVERYONE = ("tidegate", "haproxy", "nginx")
SHARE_TOLERANCE = 0.01  # of the requests


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    weight: int = 10               # percent of the requests that new answers
    mirror: int = 0                # percent of the requests that new gets as a copy
    path: str = "/"
    body: int = origins.SMALL      # bytes that the answer must have
    connections: int = 0           # 0 = what --connections says
    headers: tuple = ()            # that the client sends
    access_log: bool = False       # Tidegate's; the peers never log
    peers: tuple = EVERYONE
    by_default: bool = False

    def share_of_new(self):
        """Requests that arrive at new, as a part of those that the client made."""
        return (self.weight + self.mirror) / 100


SCENARIOS = [
    Scenario("keepalive", "1 KiB answers, kept connections, split 90/10", by_default=True),
    Scenario("mirror", "the same, all to old, 100 % mirrored to new", weight=0, mirror=100, peers=("tidegate", "nginx"),
             by_default=True),
    Scenario("connection", "1 KiB answers, a new connection for every request, split 90/10", headers=("Connection: close",),
             by_default=True),
    Scenario("single", "1 KiB answers, one kept connection, split 90/10", connections=1),
    Scenario("large", "1 MiB answers, kept connections, split 90/10", path="/large", body=origins.LARGE),
    Scenario("log", "as keepalive, Tidegate alone writes an access log", access_log=True),
]


def named(name):
    return next(scenario for scenario in SCENARIOS if scenario.name == name)
