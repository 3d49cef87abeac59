"""What one fault of a side comes to: asked with GET and POST, without retries and with the default ones, told in the words of a
table's row. The fault is new's and new has all of the weight; old is well."""
import threading
from collections import namedtuple

from .client import Client
from .faults import EARLY_SENT, EARLY_SIZE
from .origin import ok, serve
from .waiting import eventually

Row = namedtuple("Row", "get post reason gate again")
HEADINGS = ("fault", "GET", "POST", "reason", "gate", "GET and POST with retries")
REASONS = ("connect", "timeout", "reset", "protocol", "status", "overflow", "canceled")
EARLY_POST = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" + b"x" * EARLY_SENT


def routes():
    """Two: /once is asked once, everything else as a route without `retry` is. Each with a gate that this traffic cannot trip."""
    calm = {"weight": 100, "gate": {"on_fail": "notify"}}
    return [{"name": "once", "match": {"path": {"prefix": "/once"}}, "retry": {"retries": 0}, **calm}, {"name": "retried", **calm}]


class Asker(Client):
    """Tells when the first bytes of an answer are here."""

    def __init__(self, address, first):
        self._first = first
        super().__init__(address)

    def _more(self):
        data = super()._more()
        if data:
            self._first.set()
        return data


class Bench:
    def __init__(self, lab, fault):
        self.fault = fault
        self.new = None if fault.address else lab.origin(fault.play, record=False)
        address = fault.address(lab.keep) if fault.address else self.new.address
        self.delivered, self.turn = threading.Event(), [0]     # what scripts may look at: of the request that is asked
        if self.new:
            self.new.delivered, self.new.turn = self.delivered, self.turn
        self.old = lab.origin(serve(lambda request: ok("rescued")), record=False)
        self.tidegate = lab.proxy(self.old, address, routes=routes(),
                                  new_cluster={"timeouts": {"connect": "10s", "response_header": "10s", "idle": "10s", **fault.timeouts},
                                               "protocol": fault.protocol})

    def row(self):
        seen = [self._ask(method, "once") for method in ("GET", "POST")]
        retried = [self._ask(method, "retried") for method in ("GET", "POST")]
        reasons = [reason or "-" for _, reason, _, _ in seen]
        verdicts = [verdict for _, _, verdict, _ in seen]
        return Row(seen[0][0], seen[1][0], _both(reasons), _both(verdicts),
                   _both([f"{asked}: {answer}" if asked != "not" else "not" for answer, _, _, asked in retried]))

    def _ask(self, method, route):
        """@return the answer, the failures' reasons, what the gate counted of new, who was asked again"""
        before, gate, asked = self._reasons(), self._gate(route), len(self.old.requests)
        retries = self._retries(route)
        self.delivered.clear()
        self.turn[0] += 1
        with Asker(self.tidegate.address, self.delivered) as client:
            answer = self._answer(client, method, "/" + route)
        eventually(lambda: self.tidegate.api.route(route)["in_flight"] == 0, "the exchange's end")
        self._next_look_of_the_gate(route)
        after = self._reasons()
        reasons = " ".join(f"{n} x {reason}" if (n := after[reason] - before[reason]) > 1 else reason
                           for reason in REASONS if after[reason] > before[reason])
        requests, failures = (now - was for now, was in zip(self._gate(route), gate))
        again = {side: now - retries[side] for side, now in self._retries(route).items() if now > retries[side]}
        asked_old = len(self.old.requests) - asked
        assert again.get("old", 0) == asked_old, (again, asked_old)
        return answer, reasons, f"{failures} of {requests}", " and ".join(again) or "not"

    def _answer(self, client, method, target):
        if method == "GET":
            response = client.get(target)
        elif self.fault.early:
            client.send(EARLY_POST % (target.encode(), EARLY_SIZE))
            response = client.read_response("POST")
        else:
            response = client.post(b"body", target)
        if response.status == 0:
            return f"nothing, {client.ended}"
        return f"{response.status}" + ("" if response.complete else ", cut")

    def _reasons(self):
        metric = self.tidegate.api.metric
        return {reason: int(metric("tidegate_upstream_failures_total", cluster="new", reason=reason)) for reason in REASONS}

    def _retries(self, route):
        return {side: int(self.tidegate.api.metric("tidegate_retries_total", route=route, side=side)) for side in ("old", "new")}

    def _gate(self, route):
        new = self._step(route)["new"]
        return new["requests"], new["failures"]

    def _step(self, route):
        return self.tidegate.api.route(route)["gate"]["step"]

    def _next_look_of_the_gate(self, route):
        """Two, as the one that is under way may have seen the request and not its end."""
        for _ in range(2):
            before = self._step(route)["seconds"]
            eventually(lambda: self._step(route)["seconds"] > before, "the gate's next look")


def _both(pair):
    """Once where GET and POST are alike."""
    return pair[0] if pair[0] == pair[1] else " / ".join(pair)


def table(rows):
    """Markdown, as it stands in tests/FAULTS.md. @param rows {fault: Row}"""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    return "\n".join(lines + ["| " + " | ".join((name, *row)) + " |" for name, row in rows.items()]) + "\n"
