"""What promises come to where they meet: hedges, retries, health, limits, drains, reloads and the gate in one exchange. PRODUCT §2, §3."""
import base64
import contextlib
import hashlib
import json
import os
import random
import threading
import time

import h2.exceptions
import pytest
from hyperframe.frame import GoAwayFrame, RstStreamFrame

from harness import Client, eventually, ok, serve, stays
from harness.dns import a
from harness.faults import never_connects
from harness.frames import OK, FrameOrigin, data, headers, kind
from harness.http2 import Http2Client, Http2Origin
from test_retries import Pair

LONG = 20
QUICK = {"interval": "50ms", "timeout": "500ms", "healthy": 2, "unhealthy": 2}
WATCH = {"gate": {"on_fail": "notify"}}     # the gate counts and does not revert
BUSY = ok("busy", "503 Service Unavailable")


def failures(tidegate, reason, cluster="old"):
    return tidegate.api.metric("tidegate_upstream_failures_total", cluster=cluster, reason=reason)


def attempts(tidegate, side):
    """What the gate has counted of it: (requests, failures)."""
    of = tidegate.api.route()["gate"]["step"][side]
    return of["requests"], of["failures"]


def counted(tidegate, side, expected):
    """Waits until it has: the gate looks each 20 ms."""
    eventually(lambda: attempts(tidegate, side) == expected, f"{side} == {expected}")


def two(first, second, **old):
    """Clusters with two endpoints of old; nobody is asked of new."""
    return {"old": {"endpoints": [first if isinstance(first, str) else first.address,
                                  second if isinstance(second, str) else second.address], **old},
            "new": {"endpoints": ["127.0.0.1:9"]}}


def switches(connection):
    """Reads a request for a WebSocket and takes it. @return False: the connection is over"""
    request = connection.read_request()
    if request is None:
        return False
    accept = hashlib.sha1((request.get("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                    f"Sec-WebSocket-Accept: {base64.b64encode(accept).decode()}\r\n\r\n")
    return True


UPGRADE = ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def changed(tidegate, change):
    """The configuration that it has, changed by change(config)."""
    config = json.loads(json.dumps(tidegate.config))
    change(config)
    return config


class Held:
    """Two endpoints of old: so many requests are held, each until it is told what to do."""

    def __init__(self, lab, hold):
        self.left, self.lock, self.held, self.targets = hold, threading.Lock(), [], []
        self.origins = [lab.origin(self._script(name)) for name in ("a", "b")]

    def _script(self, name):
        def script(connection):
            while request := connection.read_request():
                go_on = threading.Event()
                with self.lock:
                    is_held, self.left = self.left > 0, max(self.left - 1, 0)
                    if is_held:
                        self.targets.append(request.target)
                        self.held.append((name, connection, go_on))
                if not is_held:
                    connection.send(ok(name))
                    continue
                go_on.wait(LONG)
                if connection.socket.fileno() < 0:
                    return
        return script

    def say(self, turn, what):
        name, connection, go_on = self.held[turn]
        what(connection) if callable(what) else connection.send(what)
        go_on.set()

    def let_go(self):
        for _, _, go_on in self.held:
            go_on.set()

    def proxy(self, lab, after="20ms", **route):
        return lab.proxy(self.origins[0], clusters=two(*self.origins), route={"hedge": {"after": after}, **WATCH, **route})

    def both(self, client):
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: len(self.held) == 2, "the hedge at its origin")


class Sick:
    def __init__(self, lab, answer, status="200 OK"):
        self.status, self.answer, self.asked, self.checked = status, answer, 0, 0
        self.origin = lab.origin(self._script, record=False)
        self.address = self.origin.address

    def _script(self, connection):
        while request := connection.read_request():
            if request.target == "/healthz":
                self.checked += 1
                connection.send(ok("", self.status))
                continue
            self.asked += 1
            if self.answer is None:
                return connection.rst()
            connection.send(self.answer)


class Breaking:
    """Holds each request until .release, and breaks then."""

    def __init__(self, lab):
        self.release, self.seen = threading.Event(), 0
        self.origin = lab.origin(self._script)
        self.address = self.origin.address

    def _script(self, connection):
        if connection.read_request():
            self.seen += 1
            self.release.wait(LONG)
            connection.rst()


def in_flight(lab, tidegate, breaking, request="GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
    client = lab.client(tidegate)
    client.send(request)
    eventually(lambda: breaking.seen == 1, "the attempt")
    return client


# --- hedges with the rest

@pytest.mark.parametrize("status,method", [("204 No Content", "GET"), ("304 Not Modified", "GET"), ("200 OK", "HEAD"), ("404 Not Found", "GET")])
def test_an_answer_without_a_body_may_come_from_the_hedge_and_the_connection_goes_on(lab, status, method):
    held = Held(lab, 2)
    tidegate = held.proxy(lab)
    client = lab.client(tidegate)
    client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(held.held) == 2, "the hedge at its origin")
    length = "" if status.startswith("204") else "Content-Length: 5\r\n"
    body = "there" if status.startswith("404") else ""
    held.say(1, f"HTTP/1.1 {status}\r\n{length}ETag: x\r\n\r\n{body}")
    answer = client.read_response(method)
    assert (answer.status, answer.text, answer.get("etag")) == (int(status[:3]), body, "x")
    held.let_go()
    assert client.get("/").text in ("a", "b")
    eventually(lambda: tidegate.api.route()["in_flight"] == 0, "the end")
    counted(tidegate, "old", (2, 0))


def test_a_stream_that_its_client_resets_ends_both_attempts_and_counts_for_nobody(lab):
    held = Held(lab, 2)
    tidegate = lab.proxy(held.origins[0], clusters=two(*held.origins), listener={"h2c": True}, route={"hedge": {"after": "20ms"}, **WATCH})
    client = lab.http2_client(tidegate)
    stream = client.start("/")
    eventually(lambda: len(held.held) == 2, "the hedge at its origin")
    client.peer.h2.reset_stream(stream, 8)
    client.peer.flush()
    for _, connection, _ in held.held:
        assert connection.wait_for_end(5)
    held.let_go()
    tidegate.api.counts(1, "http_requests_total", status="499")
    assert tidegate.api.failures_of_sides() == 0
    counted(tidegate, "old", (1, 0))
    assert client.get("/").body in (b"a", b"b")


def test_a_hedged_request_is_one_copy_and_one_line_of_the_log_that_names_who_answered(lab):
    path = lab.directory / "access.log"
    held, shadow = Held(lab, 2), lab.origin(serve(ok("copy")))
    config = two(*held.origins)
    config["new"]["endpoints"] = [shadow.address]
    tidegate = lab.proxy(held.origins[0], clusters=config, log={"access": {"path": str(path)}},
                         route={"hedge": {"after": "20ms"}, "mirror": {"percent": 100}, **WATCH})
    client = lab.client(tidegate)
    held.both(client)
    held.say(1, ok("second"))
    assert client.read_response().text == "second"
    held.let_go()
    eventually(lambda: len(shadow.requests) == 1, "the copy")
    line = json.loads(eventually(lambda: os.path.exists(path) and path.read_text(), "the line"))
    winner = held.origins["ab".index(held.held[1][0])]
    assert (line["reason"], line["upstream_host"], line["response_code"], line["mirrored"]) == ("hedge", winner.address, 200, True)
    stays(lambda: len(shadow.requests) == 1 and path.read_text().count("\n") == 1, "one of each", 0.2)


def test_an_attempt_and_its_hedge_that_are_over_their_time_are_one_failure_and_the_other_side_answers(lab):
    held = Held(lab, 2)
    old = lab.origin(serve(ok("old")))
    tidegate = lab.proxy(old, clusters={"old": {"endpoints": [old.address]}, "new": {"endpoints": [o.address for o in held.origins]}}, weight=100,
                         route={"hedge": {"after": "20ms"}, "retry": {"per_try_timeout": "300ms", "on": ["timeout"]}, **WATCH})
    client = lab.client(tidegate)
    held.both(client)
    assert client.read_response().text == "old"
    for _, connection, _ in held.held:
        assert connection.wait_for_end(5)
    held.let_go()
    counted(tidegate, "new", (1, 1))
    counted(tidegate, "old", (1, 0))
    assert failures(tidegate, "timeout", "new") == 1 and tidegate.api.metric("tidegate_retries_rescued_total", side="old") == 1
    assert tidegate.api.metric("tidegate_hedges_total", side="new", result="lost") == 1


@pytest.mark.parametrize("ends", ["first", "second", "both break", "client"])
def test_hedges_give_their_place_on_the_budget_back_however_they_end(lab, ends):
    """3 always may: after 3 that ended there still are 3."""
    held = Held(lab, 1000)
    tidegate = held.proxy(lab, retry={"retries": 0})
    for turn in range(3):
        at = len(held.held)
        clients = [lab.client(tidegate) for _ in range(3)]
        for i, client in enumerate(clients):
            client.send(f"GET /{turn}.{i} HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: len(held.held) == at + 6, "three hedges")
        for i, client in enumerate(clients):
            first, second = (place for place, target in enumerate(held.targets) if target == f"/{turn}.{i}")
            if ends == "client":
                client.rst()
                continue
            for place in [first] if ends == "first" else [second] if ends == "second" else [first, second]:
                held.say(place, ok("x") if ends != "both break" else lambda connection: connection.rst())
            assert client.read_response().status == (502 if ends == "both break" else 200)
        eventually(lambda: tidegate.api.route()["in_flight"] == 0, "the end")
    held.let_go()


def test_both_attempts_of_a_hedged_request_end_well_though_their_cluster_is_removed(lab):
    held = Held(lab, 2)
    other = lab.origin(serve(ok("other")))
    tidegate = held.proxy(lab)
    client = lab.client(tidegate)
    held.both(client)
    tidegate.reload({**tidegate.config, "clusters": {name: {"endpoints": [other.address]} for name in ("old", "new")}})
    held.say(1, ok("second"))
    assert client.read_response().text == "second"
    assert held.held[0][1].wait_for_end(5)
    held.let_go()
    assert client.get("/").text == "other"
    eventually(lambda: all(o.open_connections() == 0 for o in held.origins), "nothing to the old ones")


def test_a_hedge_that_waits_for_a_connection_does_not_keep_a_broken_attempt_from_ending(lab):
    """pool.connections: the hedge waits for the one that the first attempt has."""
    held = Held(lab, 1)
    tidegate = lab.proxy(held.origins[0], clusters=two(*held.origins, pool={"connections": 1}),
                         route={"hedge": {"after": "20ms"}, "retry": {"retries": 0}, **WATCH})
    client, another = lab.client(tidegate, timeout=5), lab.client(tidegate, timeout=5)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: held.held, "the first attempt")
    stays(lambda: not client.has_answer(), "time for the hedge to wait", 0.2)
    held.say(0, lambda connection: connection.rst())
    assert another.get("/").status == 200, "the pool is free for others"
    assert client.read_response().status in (200, 502)


def test_an_attempt_whose_first_half_broke_still_has_its_time(lab):
    """per_try_timeout bounds the attempt, and the hedge is a part of it."""
    held = Held(lab, 2)
    old = lab.origin(serve(ok("old")))
    tidegate = lab.proxy(old, clusters={"old": {"endpoints": [old.address]}, "new": {"endpoints": [o.address for o in held.origins]}},
                         weight=100, route={"hedge": {"after": "20ms"}, "retry": {"per_try_timeout": "300ms", "on": ["reset", "timeout"]}, **WATCH})
    client = lab.client(tidegate, timeout=5)
    held.both(client)
    held.say(0, lambda connection: connection.rst())
    try:
        assert client.read_response().text == "old", "the attempt's time is over: the other side is asked"
    finally:
        held.let_go()


def test_a_hedge_that_is_under_way_may_answer_when_the_first_attempt_says_503(lab):
    """config: the first that begins with a status below 500 answers."""
    held = Held(lab, 2)
    tidegate = held.proxy(lab, after="2s", retry={"retries": 0})  # as long again it may take for its answer
    client = lab.client(tidegate)
    held.both(client)
    held.say(0, BUSY)
    eventually(lambda: failures(tidegate, "status") == 1, "the first attempt's answer")
    held.say(1, ok("second"))
    assert client.read_response().text == "second"


def test_a_hedge_on_a_kept_connection_that_closes_meanwhile_is_no_failure(lab):
    """The race that a kept connection may lose is nobody's failure, for a hedge as for a first attempt."""
    held_one = threading.Event()
    slow = []

    def script(connection):
        turn = 0
        while request := connection.read_request():
            turn += 1
            if request.target == "/slow" and not slow:
                slow.append(connection)
                held_one.wait(LONG)
                connection.send(ok("first"))
            elif request.target == "/slow":
                return      # reads the request and ends: the race is lost each time
            else:
                connection.send(ok("warm"))

    origins = [lab.origin(script) for _ in range(2)]
    tidegate = lab.proxy(origins[0], clusters=two(*origins), route={"hedge": {"after": "50ms"}, **WATCH})
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").status == 200 and all(o.connections for o in origins), "a kept connection to each")
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: sum(r.target == "/slow" for o in origins for r in o.requests) >= 2, "the hedge at its origin")
    held_one.set()
    assert client.read_response().text == "first"
    eventually(lambda: tidegate.api.metric("tidegate_hedges_total", side="old") == 1, "it is settled")
    assert failures(tidegate, "reset") == 0


def test_a_hedge_that_an_upstream_refuses_unseen_is_no_failure(lab):
    """RFC 9113 §8.7: REFUSED_STREAM says that nothing was done."""
    streams, lock = [], threading.Lock()

    def react(connection, frame):
        if kind(frame) != "Headers":
            return
        with lock:
            streams.append((connection, frame.stream_id))
            if len(streams) == 2:
                connection.origin.send(connection, RstStreamFrame(frame.stream_id, 7).serialize())

    origins = [lab.keep(FrameOrigin(react)) for _ in range(2)]
    tidegate = lab.proxy(origins[0], clusters=two(*origins, protocol="http2"), route={"hedge": {"after": "50ms"}, **WATCH})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(streams) >= 2, "the hedge at its origin")
    for connection, stream in [streams[0], *streams[2:]]:
        connection.origin.send(connection, headers(stream, OK) + data(stream, b"fine", "END_STREAM"))
    assert client.read_response().text == "fine"
    eventually(lambda: tidegate.api.metric("tidegate_hedges_total", side="old") == 1, "it is settled")
    assert failures(tidegate, "reset") == 0


@pytest.mark.parametrize("hedge", [True, False])
def test_the_routes_time_bounds_an_answer_of_5xx_that_waited_for_its_hedge(lab, hedge):
    pair = Pair(lab, hold=2)
    tidegate = pair.proxy(lab, {"after": "100ms" if hedge else "1m"}, timeout="1s")
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(pair.held) == (2 if hedge else 1), "all are asked")
    pair.held[0][1].send("HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\n")   # and no body
    assert not client.read_response().complete, "it has ended"
    pair.release.set()


@pytest.mark.parametrize("first", ["answers 503", "breaks"])
def test_a_silent_hedge_keeps_back_neither_an_answer_nor_a_retry(lab, first):
    """For once more the time that was waited before it, not for response_header."""
    pair = Pair(lab, hold=2)
    old, new = lab.origin(serve(ok("old"))), [origin.address for origin in pair.origins]
    tidegate = lab.proxy(old, weight=100, clusters={"old": {"endpoints": [old.address]},
                                                    "new": {"endpoints": new, "timeouts": {"response_header": "1m"}}},
                         route={"hedge": {"after": "50ms"}, **WATCH})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(pair.held) == 2, "both are asked")
    if first == "breaks":
        pair.held[0][1].rst()
        assert client.read_response().text == "old"
    else:
        pair.held[0][1].send(BUSY)
        assert client.read_response().status == 503
    pair.release.set()


def test_per_try_timeout_holds_for_an_attempt_that_is_made_again_after_its_hedge_has_failed(lab):
    go, seen = threading.Event(), []

    def script(connection):
        while request := connection.read_request():
            seen.append(request.target)
            if request.target == "/warm":
                connection.send(ok("warm"))
                continue
            turn = seen.count("/x")
            if turn == 1:
                connection.wait(go)      # on the kept connection, which then closes without a word
            if turn < 3:
                return connection.rst()  # the second is the hedge
            return connection.wait_for_end(60)
    tidegate = lab.proxy(lab.origin(script), cluster={"timeouts": {"response_header": "1m"}},
                         route={"hedge": {"after": "50ms"}, "retry": {"retries": 0, "per_try_timeout": "1s"}})
    client = lab.client(tidegate)
    assert client.get("/warm").text == "warm"
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: seen.count("/x") == 2, "the hedge")
    go.set()
    assert client.read_response().status == 504


def test_the_access_log_says_that_a_hedge_answered_and_not_what_was_wrong_with_the_first(lab, tmp_path):
    pair, log = Pair(lab, hold=2), tmp_path / "access.log"
    addresses = [origin.address for origin in pair.origins]
    tidegate = lab.proxy(addresses[0], clusters={"old": {"endpoints": addresses}, "new": {"endpoints": ["127.0.0.1:9"]}},
                         route={"hedge": {"after": "50ms"}, "retry": {"retries": 0}}, log={"access": {"path": str(log)}})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(pair.held) == 2, "both are asked")
    pair.held[0][1].send("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")
    eventually(lambda: failures(tidegate, "protocol") == 1, "the first is refused")
    pair.held[1][1].send(ok("second"))
    assert client.read_response().text == "second"
    assert json.loads(eventually(lambda: log.exists() and log.read_text(), "the line"))["reason"] == "hedge"
    pair.release.set()


# --- after a revert

def test_requests_that_a_revert_overtook_in_the_queue_do_not_connect_to_new(lab):
    """Not even one after the other: only the first was on its way."""
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), never_connects(lab.keep), weight=100,
                         new_cluster={"timeouts": {"connect": "1s"}, "pool": {"connections": 1}}, route=WATCH)
    clients = [lab.client(tidegate) for _ in range(30)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 30, "all wait")
    tidegate.api.post("revert")
    assert {client.read_response().text for client in clients} == {"old"}
    assert failures(tidegate, "connect", "new") == 1


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_requests_that_wait_for_new_are_turned_to_old_at_once_by_a_revert_and_not_when_something_is_free(lab, protocol):
    held = []

    def script(connection):
        while connection.read_request():
            held.append(lambda: connection.send(ok("new")))
            connection.wait_for_end(LONG)

    def react(connection, frame):
        if kind(frame) == "Headers":
            held.append(lambda: new.send(connection, headers(frame.stream_id, OK) + data(frame.stream_id, b"new", "END_STREAM")))
    new = lab.origin(script) if protocol == "http1" else lab.keep(FrameOrigin(react, {3: 1}))  # one stream at a time
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route=WATCH,
                         new_cluster={"protocol": protocol, "pool": {"connections": 1}, "timeouts": {"response_header": "1m"}})
    first, *others = [lab.client(tidegate) for _ in range(6)]
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(held) == 1, "new has one")
    for client in others:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 6, "five wait for new")
    tidegate.api.post("revert")
    assert [client.read_response().text for client in others] == ["old"] * 5
    assert len(held) == 1
    held[0]()
    assert first.read_response().text == "new"
    assert tidegate.api.failures_of_sides() == 0


def test_a_request_that_a_revert_turned_to_old_holds_nothing_of_new(lab):
    """Old's only connection is busy as well: the one to new is for others meanwhile, and is not closed."""
    go_new, go_old = threading.Event(), threading.Event()

    def script(name, go):
        def answer(connection):
            while request := connection.read_request():
                if request.target == f"/{name}/hold":
                    go.wait(LONG)
                connection.send(ok(name))
        return answer
    old, new = lab.origin(script("old", go_old)), lab.origin(script("new", go_new))
    tidegate = lab.proxy(old, new, cluster={"pool": {"connections": 1}},
                         routes=[{"name": "old", "match": {"path": {"prefix": "/old"}}, "weight": 0},
                                 {"name": "still", "match": {"path": {"prefix": "/still"}}, "weight": 100},
                                 {"name": "all", "weight": 100}])
    holds_new, holds_old, waits, other = (lab.client(tidegate) for _ in range(4))
    holds_new.send("GET /new/hold HTTP/1.1\r\nHost: a\r\n\r\n")
    holds_old.send("GET /old/hold HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(old.requests) == len(new.requests) == 1, "both connections are taken")
    waits.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 2, "it waits for new")
    tidegate.api.post("revert")
    go_new.set()
    assert holds_new.read_response().text == "new"
    assert other.get("/still").text == "new"
    go_old.set()
    assert holds_old.read_response().text == waits.read_response().text == "old"
    assert len(new.connections) == 1


def test_an_attempt_on_a_connection_that_was_closed_is_not_made_again_on_new_after_a_revert(lab):
    go, seen = threading.Event(), []

    def script(connection):
        while request := connection.read_request():
            seen.append(request.target)
            if request.target != "/warm":
                connection.wait(go)
                return connection.rst()
            connection.send(ok("warm"))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(script), weight=100, route=WATCH)
    client = lab.client(tidegate)
    assert client.get("/warm").text == "warm"
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: "/x" in seen, "in flight")
    tidegate.api.post("revert")
    go.set()
    assert client.read_response().text == "old" and seen == ["/warm", "/x"]


# --- retries with the rest

def test_informational_answers_of_an_attempt_that_breaks_are_followed_by_the_answer_of_the_retry(lab):
    def hints_and_breaks(connection):
        connection.read_request()
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.wait(connection.origin.hinted)
        connection.rst()

    new = lab.origin(hints_and_breaks)
    new.hinted = threading.Event()
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route=WATCH)
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.read_informational()[0] == 103
    new.hinted.set()
    answer = client.read_response()
    assert (answer.text, answer.informational) == ("old", [])
    counted(tidegate, "new", (1, 1))


def test_a_put_that_expects_100_is_saved_with_its_body_and_copied_once(lab):
    def says_100_and_breaks(connection):
        request = connection.read_head()
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.read_body(request)
        connection.rst()

    def says_100(connection):
        while request := connection.read_head():
            if request.get("expect"):
                connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
            connection.send(ok(request.body))

    def new_script(connection):
        request = connection.read_head()
        if request is not None and request.get("x-tidegate-mirror"):
            copies.append(connection.read_body(request))
            return connection.send(ok("copy"))
        if request is not None:
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
            connection.rst()

    copies = []
    tidegate = lab.proxy(lab.origin(says_100), lab.origin(new_script), weight=100,
                         route={**WATCH, "retry": {"methods": "idempotent"}, "mirror": {"percent": 100, "methods": ["PUT"]}})
    client = lab.client(tidegate)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert client.read_informational()[0] == 100
    client.send("body")
    answer = client.read_response("PUT")
    assert (answer.status, answer.text) == (200, "body")
    eventually(lambda: len(copies) == 1, "the copy")
    assert (copies[0].body, copies[0].all("expect")) == (b"body", [])
    assert client.get("/").status in (200, 502)


def test_trailers_of_http2_go_with_the_body_to_the_side_that_is_asked_again(lab):
    def breaks(connection):
        connection.read_request()
        connection.rst()

    old = lab.origin(serve(ok("old")))
    tidegate = lab.proxy(old, lab.origin(breaks), weight=100, listener={"h2c": True}, route={**WATCH, "retry": {"methods": "idempotent"}})
    client = lab.http2_client(tidegate)
    answer = client.finish(client.start("/", method="PUT", body=b"body" * 1000, trailers=[("x-t", "1")]))
    assert (answer.status, answer.body) == (200, b"old")
    assert (old.requests[0].body, old.requests[0].trailers) == (b"body" * 1000, [("x-t", "1")])


def test_of_streams_around_the_last_one_of_a_goaway_those_before_are_answered_there_and_the_others_asked_again(lab):
    seen, lock = {}, threading.Lock()

    def react(connection, frame):
        if kind(frame) != "Headers":
            return
        with lock:
            streams = seen.setdefault(connection.index, [])
            streams.append(frame.stream_id)
            if connection.index > 0:
                origin.send(connection, headers(frame.stream_id, OK) + data(frame.stream_id, b"again", "END_STREAM"))
            elif len(streams) == 6:
                origin.send(connection, GoAwayFrame(0, last_stream_id=streams[2]).serialize())
                for stream in streams[:3]:
                    origin.send(connection, headers(stream, OK) + data(stream, b"first", "END_STREAM"))

    origin = lab.keep(FrameOrigin(react))
    tidegate = lab.proxy(origin, cluster={"protocol": "http2"}, route={"retry": {"retries": 0}, **WATCH})
    clients = [lab.client(tidegate) for _ in range(6)]
    for i, client in enumerate(clients):    # POST: they are sent again because nothing was done with them
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
        eventually(lambda: sum(map(len, seen.values())) > i, "the stream")
    assert sorted(client.read_response("POST").text for client in clients) == ["again"] * 3 + ["first"] * 3
    counted(tidegate, "old", (6, 0))
    assert tidegate.api.failures_of_sides() == 0 and tidegate.api.metric("tidegate_retries_total") == 0


@pytest.mark.parametrize("how", ["drain", "upgrade"])
def test_a_request_whose_side_breaks_during_a_drain_is_saved_by_the_other_side(lab, how):
    new = Breaking(lab)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route=WATCH)
    client = in_flight(lab, tidegate, new)
    if how == "upgrade":
        before = tidegate.begin_upgrade()
    else:
        tidegate.signal(15)
        tidegate.logs("draining")
    new.release.set()
    answer = client.read_response()
    assert (answer.text, answer.get("connection")) == ("old", "close")
    client.close()
    assert (before.wait(15) if how == "upgrade" else tidegate.wait(15)) == 0


def test_a_retry_goes_where_it_should_though_the_route_and_its_clusters_are_removed_meanwhile(lab):
    new = Breaking(lab)
    other = lab.origin(serve(ok("other")))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route=WATCH)
    client = in_flight(lab, tidegate, new)
    clusters = {name: {"endpoints": [other.address]} for name in ("a", "b")}
    tidegate.reload({**tidegate.config, "clusters": clusters, "routes": [{"name": "another", "old": "a", "new": "b"}]})
    new.release.set()
    assert client.read_response().text == "old"
    assert client.get("/").text == "other"
    eventually(lambda: tidegate.api.route("another")["in_flight"] == 0, "the end")


def test_a_retry_does_not_go_to_new_when_a_reload_takes_new_its_share_while_it_waits(lab):
    old = Breaking(lab)
    new = lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, weight=0.01, route={**WATCH, "retry": {"retries": 1}})
    client = in_flight(lab, tidegate, old)
    tidegate.reload(changed(tidegate, lambda config: config["routes"][0].update(weight=0)))
    old.release.set()
    assert client.read_response().status == 502 and len(new.requests) == 0


def test_a_retry_does_not_go_to_a_side_that_has_no_healthy_endpoint(lab):
    """A side without healthy endpoints gets no requests while the other has some; nor does it fail a second time for the gate."""
    broken = Sick(lab, None)
    fine = Sick(lab, ok("fine"))
    new = Sick(lab, ok("unhealthy"), "500 Oops")
    tidegate = lab.proxy(broken, clusters={"old": {"endpoints": [broken.address, fine.address], "health": {"path": "/healthz", **QUICK}},
                                           "new": {"endpoints": [new.address], "health": {"path": "/healthz", **QUICK}}},
                         weight=0.01, route=WATCH)
    tidegate.logs(f"{new.address} is unhealthy")
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").status and broken.asked >= 3, "failures of old")
    assert new.asked == 0


def test_an_upstream_that_said_something_and_broke_is_counted_also_on_a_kept_connection(lab):
    """A 1xx shows that the connection was not closed while it was idle (RFC 9112 §9.3.1)."""
    def script(connection):
        if connection.read_request():
            connection.send(ok("x"))
            connection.read_request()
            connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
            connection.rst()

    tidegate = lab.proxy(lab.origin(script), route={"retry": {"retries": 0}, **WATCH})
    client = lab.client(tidegate)
    assert client.get("/").status == 200
    client.get("/")
    eventually(lambda: attempts(tidegate, "old")[0] == 2, "counted")
    assert failures(tidegate, "reset") == 1


# --- what the gate counts

def test_the_same_cluster_on_both_sides_is_served_saved_and_counted_as_any(lab):
    """The first day of a route, with on_fail: notify."""
    first = threading.Event()

    def script(connection):
        if connection.read_request() and not first.is_set():
            first.set()
            return connection.rst()
        connection.send(ok("x"))
        serve(ok("x"))(connection)

    origin = lab.origin(script)
    config = {"both": {"endpoints": [origin.address], "health": {"type": "tcp", **QUICK}}}
    tidegate = lab.proxy(origin, clusters=config, weight=50, route={"old": "both", "new": "both", **WATCH})
    client = lab.client(tidegate)
    assert [client.get("/").text for _ in range(20)] == ["x"] * 20
    eventually(lambda: sum(attempts(tidegate, side)[0] for side in ("old", "new")) == 21, "each attempt once")
    assert sum(attempts(tidegate, side)[1] for side in ("old", "new")) == 1


def test_a_latched_route_stays_at_old_whatever_retries_spills_and_reloads_would_do(lab):
    old, new = Sick(lab, ok("no", "500 Oops")), Sick(lab, ok("new"))
    tidegate = lab.proxy(old, new, weight=50, cluster={"health": {"path": "/healthz", **QUICK}},
                         route={"retry": {"on": ["connect", "reset", "503"], "retries": 3}})
    tidegate.api.post("revert")
    client = lab.client(tidegate)
    seen = new.asked
    assert {client.get("/").status for _ in range(10)} == {500}
    old.status = "500 Oops"
    tidegate.logs(f"{old.address} is unhealthy")
    assert {client.get("/").status for _ in range(10)} == {500}
    tidegate.reload(changed(tidegate, lambda config: config["routes"][0].update(weight=100)))
    old.answer = None
    assert {client.get("/").status for _ in range(10)} == {502}
    assert new.asked == seen and tidegate.api.route()["latched"]


@pytest.mark.parametrize("changes", [1, 2, 3, 4])
def test_a_request_that_waited_over_changes_of_the_weight_does_not_blind_the_gate(lab, changes):
    """10 of 10 failed: the breaker reverts, whatever waited for a connection meanwhile."""
    go_on = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/hold":
                go_on.wait(LONG)
                connection.send(ok("held"))
            else:
                connection.send(ok("no", "500 Oops" if request.target == "/" else "200 OK"))

    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(script), weight=100, new_cluster={"pool": {"connections": 1}},
                         route={"retry": {"retries": 0}, "gate": {"breaker": {"requests": 10, "for": "0s"}, "min_requests": 1}})
    holds, waits = lab.client(tidegate), lab.client(tidegate)
    holds.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: attempts(tidegate, "new")[0] == 1, "the connection is taken")
    waits.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 2, "another waits for it")
    for turn in range(changes):
        tidegate.api.weight(50 if (changes - turn) % 2 == 1 else 30)
    clients = [lab.client(tidegate) for _ in range(100)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: attempts(tidegate, "old")[0] == 50 and tidegate.api.route()["in_flight"] == 52, "50 wait as well")
    go_on.set()
    statuses = [client.read_response().status for client in clients]
    assert set(statuses) == {200, 500} and statuses.count(500) >= 10, "those that the revert overtook go to old"
    eventually(lambda: tidegate.api.route()["latched"], "the revert", 3)
    assert holds.read_response().status == waits.read_response().status == 200


def test_a_request_that_waits_for_a_connection_to_new_does_not_go_there_after_a_revert(lab):
    go_on = threading.Event()
    asked = []

    def script(connection):
        while request := connection.read_request():
            asked.append(request.target)
            if request.target == "/hold":
                go_on.wait(LONG)
            connection.send(ok("new"))

    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(script), weight=100, new_cluster={"pool": {"connections": 1}})
    holds, waits = lab.client(tidegate), lab.client(tidegate)
    holds.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: asked == ["/hold"], "the connection is taken")
    waits.send("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 2, "another waits for it")
    tidegate.api.post("revert")
    go_on.set()
    assert holds.read_response().text == "new"
    assert waits.read_response().text == "old" and asked == ["/hold"]


def test_requests_that_new_could_not_take_are_no_successes_of_new_whatever_counts_as_an_error(lab):
    """PRODUCT §3: while the gate watches, spill away from new counts as errors of new."""
    old, new = Sick(lab, ok("old")), Sick(lab, ok("new"), "500 Oops")
    tidegate = lab.proxy(old, new, weight=50, cluster={"health": {"path": "/healthz", **QUICK}},
                         route={"gate": {"errors": ["5xx", "timeout"], "on_fail": "notify"}})
    tidegate.logs(f"{new.address} is unhealthy")
    client = lab.client(tidegate)
    for _ in range(40):
        assert client.get("/").text == "old"
    eventually(lambda: tidegate.api.metric("tidegate_spilled_requests_total", side="new") == 20, "spilled")
    eventually(lambda: attempts(tidegate, "old")[0] == 40, "counted")
    requests, failed = attempts(tidegate, "new")
    assert requests == failed, (requests, failed)


@pytest.mark.parametrize("how", ["malformed", "stalls"])
def test_a_client_that_spoils_its_body_after_the_answer_has_begun_is_no_failure_of_the_side(lab, how):
    def script(connection):
        connection.read_head()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n")
        connection.wait_for_end(LONG)       # goes on with what the client sends

    new = lab.origin(script)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route=WATCH, listener={"timeouts": {"body_idle": "300ms"}},
                         cluster={"timeouts": {"idle": "1s"}})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    client.read_part(1)
    if how == "malformed":
        client.send("zz\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 0, "the end")
    assert failures(tidegate, "timeout", "new") == 0
    counted(tidegate, "new", (1, 0))


def test_what_a_grpc_client_takes_to_send_its_messages_is_not_time_of_the_route_though_it_has_a_deadline(lab):
    """routes[].timeout: from the complete request to the end of the response."""
    origin = lab.http2_origin(lambda request: (200, [("content-type", "application/grpc")], b"", [("grpc-status", "0")]))
    tidegate = lab.proxy(origin, listener={"h2c": True}, cluster={"protocol": "http2"}, route={"timeout": "200ms", **WATCH})
    client = lab.http2_client(tidegate)
    stream = client.start("/t/collect", method="POST", end=False,
                          headers=[("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "20S")])
    client.send(stream, b"\0\0\0\0\1a")
    stays(lambda: failures(tidegate, "timeout") == 0, "the call", 0.6)
    client.send(stream, b"\0\0\0\0\1b", end=True)
    answer = client.finish(stream)
    assert (answer.status, answer.trailers.get("grpc-status")) == (200, "0"), answer
    counted(tidegate, "old", (1, 0))


@pytest.mark.parametrize("first", ["HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 OK\r\nX-A: "], ids=["informational", "half a head"])
def test_an_answer_that_comes_in_pieces_has_its_time_from_the_end_of_a_long_upload(lab, first):
    """timeouts.response_header: from the request sent to the response's head, however long the client took for the request."""
    def script(connection):
        connection.read_request()
        connection.send(first)
        connection.over.wait(0.1)
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole" if "103" in first else "b\r\nContent-Length: 5\r\n\r\nwhole")

    new = lab.origin(script)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, cluster={"timeouts": {"response_header": "1s"}}, route=WATCH)
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
    eventually(lambda: new.requests, "the head at the origin")
    stays(lambda: not client.has_answer(), "the upload", 1.3)
    client.send("dy")
    answer = client.read_response("POST")
    assert (answer.status, answer.text) == (200, "whole")
    counted(tidegate, "new", (1, 0))


# --- health and outliers

def test_an_endpoint_that_cuts_each_answer_is_left_out(lab):
    """outlier: failures in a row of requests, resets among them."""
    def cuts(connection):
        if connection.read_request():
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    bad, good = lab.origin(cuts), lab.origin(serve(ok("good")))
    tidegate = lab.proxy(good, clusters=two(bad, good, outlier={"consecutive_errors": 3, "ejection": "1m"}), route={"retry": {"retries": 0}, **WATCH})
    for _ in range(40):
        lab.client(tidegate).get("/")
    eventually(lambda: f"{bad.address} is left out for " in tidegate.output, "it is left out", 3)


def test_streams_that_go_on_stand_between_the_failures_of_an_endpoint(lab):
    go = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/stream":
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive ")
                connection.wait(go)
                connection.send("more.")
            else:
                connection.send(ok("bad", "500 Oops"))
    tidegate = lab.proxy(lab.origin(script), route={"retry": {"retries": 0}},
                         cluster={"outlier": {"consecutive_errors": 3, "ejection": "1m", "max_ejected": "100%"}})
    client = lab.client(tidegate)
    for _ in range(4):
        assert client.get("/bad").status == 500
        stream = lab.client(tidegate)
        stream.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        assert stream.has_answer(LONG)
    assert tidegate.api.metric("tidegate_outlier_ejections_total", cluster="old") == 0
    go.set()


# --- limits and memory

@pytest.mark.parametrize("over", ["http1", "http2", "head", "grpc"])
def test_a_full_queue_is_503_at_once_with_retry_after_whatever_asks_and_no_failure_of_the_side(lab, over):
    go_on = threading.Event()

    def script(connection):
        while connection.read_request():
            go_on.wait(LONG)
            connection.send(ok("held"))

    new = lab.origin(script)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, listener={"h2c": True}, route=WATCH,
                         cluster={"pool": {"connections": 1, "pending": 0}})
    first = lab.client(tidegate)
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(new.requests) == 1, "the only connection is taken")
    if over == "http2":
        answer = lab.http2_client(tidegate).get("/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    elif over == "grpc":
        answer = lab.http2_client(tidegate).post(b"\0\0\0\0\0", headers=[("content-type", "application/grpc"), ("te", "trailers")])
        assert (answer.status, answer.headers["grpc-status"]) == (200, "14")
    else:
        answer = lab.client(tidegate).get("/", method="HEAD" if over == "head" else "GET")
        assert (answer.status, answer.get("retry-after")) == (503, "1")
    go_on.set()
    assert first.read_response().text == "held"
    counted(tidegate, "new", (1, 0))
    assert tidegate.api.failures_of_sides() == 0


def test_what_retries_held_of_bodies_is_given_back_and_the_budget_of_memory_with_it(lab):
    """retry.buffer under memory.buffers."""
    breaking = Breaking(lab)
    tidegate = lab.proxy(breaking, lab.origin(serve(ok("new"))), memory={"buffers": "2MiB"}, weight=0,
                         route={"retry": {"methods": "idempotent", "buffer": "1MiB"}, **WATCH}, cluster={"pool": {"connections": 200}})
    body = b"x" * 300_000
    clients = []
    shed = lambda: tidegate.api.metric("tidegate_shed_requests_total", reason="memory")
    for _ in range(40):
        client = lab.client(tidegate)
        clients.append(client)
        client.try_send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + body)
        if shed():
            break
    assert shed() > 0 and len(clients) < 40
    breaking.release.set()
    for client in clients:
        client.read_response("PUT")
        client.close()

    def served():
        with_body = lab.client(tidegate)
        return with_body.post(b"x", method="PUT").status == 502
    eventually(served, "service again")


# --- connections that end, and those that go on

def test_a_websocket_is_not_cut_when_its_connection_is_spent(lab):
    def script(connection):
        while switches(connection):
            while True:
                connection.send(connection._source.some(100))

    tidegate = lab.proxy(lab.origin(script), route={"timeout": "300ms", "retry": {"per_try_timeout": "300ms"}, "hedge": {"after": "50ms"}, **WATCH},
                         listener={"limits": {"requests_per_connection": 1}, "timeouts": {"max_connection_age": "200ms", "idle": "300ms"}})
    client = lab.client(tidegate).send(UPGRADE)
    assert client.read_informational()[0] == 101
    stays(lambda: not client.has_answer(), "the tunnel", 1.0)
    client.send(b"\x81\x85\0\0\0\0hello")
    assert client._source.take(11) == b"\x81\x85\0\0\0\0hello"
    counted(tidegate, "old", (1, 0))


def test_a_tunnel_to_new_that_a_reload_left_behind_is_sent_away_by_a_revert(lab):
    new = lab.origin(lambda connection: switches(connection) and connection.wait_for_end(LONG))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route={"upgrade": {"on_revert": "close", "close_jitter": "0s"}})
    client = lab.client(tidegate).send(UPGRADE)
    assert client.read_informational()[0] == 101
    for turn in range(3):
        def change(config):
            config["routes"][0]["timeout"] = f"{turn + 1}s"
            config["clusters"]["new"]["timeouts"] = {"connect": f"{turn + 1}s"}
        tidegate.reload(changed(tidegate, change))
    tidegate.api.post("revert")
    assert client._source.take(4) == b"\x88\x02\x03\xe9"


def test_an_upload_that_goes_on_when_its_connection_is_old_enough_is_not_cut_and_its_answer_says_close(lab):
    origin = lab.origin(serve(lambda request: ok(request.body)))
    tidegate = lab.proxy(origin, listener={"timeouts": {"max_connection_age": "200ms"}}, route={"retry": {"per_try_timeout": "200ms"}, **WATCH})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
    eventually(lambda: origin.requests, "the head at the origin")
    stays(lambda: not client.has_answer(), "the upload", 0.5)
    client.send("dy")
    answer = client.read_response("POST")
    assert (answer.text, answer.get("connection")) == ("body", "close") and client.is_closed() == "fin"
    counted(tidegate, "old", (1, 0))


def test_the_last_answer_that_a_connection_may_carry_says_so_also_when_the_hedge_or_the_other_side_gave_it(lab):
    new = lab.origin(lambda c: c.read_request())
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route=WATCH, listener={"limits": {"requests_per_connection": 2}})
    client = lab.client(tidegate)
    answers = [client.get("/") for _ in range(2)]
    assert [(answer.text, answer.get("connection")) for answer in answers] == [("old", None), ("old", "close")]
    assert client.is_closed() == "fin"


def test_a_unix_listener_that_was_handed_on_is_removed_and_added_by_reloads(lab):
    path = lab.directory / "web.sock"
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listeners=[{"name": "web", "address": "127.0.0.1:0"},
                                                                {"name": "unix", "address": f"unix:{path}"}])
    assert lab.client(f"unix:{path}").get("/").status == 200
    tidegate.upgrade()
    assert lab.client(f"unix:{path}").get("/").status == 200
    both = tidegate.config
    tidegate.reload({**both, "listeners": both["listeners"][:1]})
    assert not path.exists()
    tidegate.reload(both)
    assert lab.client(f"unix:{path}").get("/").status == 200
    tidegate.descriptors_are_its_own()
    assert tidegate.terminate() == 0 and not path.exists()


# --- what is said

def test_hostile_bytes_stay_one_line_of_the_access_log_that_is_json(lab):
    path = lab.directory / "access.log"
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), log={"access": {"path": str(path)}}, trusted_proxies=["127.0.0.1"])
    client = lab.client(tidegate)
    client.send(b'GET /%0a"\\x HTTP/1.1\r\nHost: a\r\nUser-Agent: \xff\xfe\xc3(\xe2\x82 "\\\t\xed\xa0\x80\r\n'
                b'X-Forwarded-For: \xc0\xaf\xf0\x9f\x98\x80, "}\r\nX-Request-Id: a"b\\c\r\n\r\n')
    assert client.read_response().status == 200
    client.send(b'G\'`!#$%&*+-.^_|~ET / HTTP/1.1\r\nHost: a\r\n\r\n')
    client.read_response()
    client.close()
    eventually(lambda: os.path.exists(path) and path.read_bytes().count(b"\n") >= 2, "the lines")
    lines = path.read_bytes().split(b"\n")[:-1]
    assert len(lines) == 2 and all(json.loads(line.decode("utf-8")) for line in lines)


def test_a_fifo_as_access_log_without_a_reader_is_a_clear_end_and_one_whose_reader_leaves_costs_no_request(lab):
    path = lab.directory / "fifo"
    os.mkfifo(path)
    origin = lab.origin(serve(ok("x")))
    failed = lab.proxy(origin, log={"access": {"path": str(path)}}, process={"ready": False})
    assert failed.wait(10) in (1, 78) and str(path) in failed.output
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    tidegate = lab.proxy(origin, log={"access": {"path": str(path)}})
    client = lab.client(tidegate)
    assert client.get("/").status == 200
    os.close(reader)
    assert [client.get("/").status for _ in range(50)] == [200] * 50
    tidegate.signal(10)     # SIGUSR1: nobody is there to open it for
    assert [client.get("/").status for _ in range(50)] == [200] * 50
    eventually(lambda: tidegate.api.metric("tidegate_access_log_dropped_total") > 0, "lines are counted as lost")


def test_a_reason_with_control_characters_is_refused_and_one_with_odd_letters_is_shown_as_it_is(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))))
    for bad in ("\x1b]0;owned\x07", "two\nlines", "\x7f"):
        assert tidegate.api.call("PUT", "/api/v1/routes/all/weight", {"percent": 10, "reason": bad}).status == 400, bad
    assert tidegate.api.route()["weight"]["wanted"] == 0
    odd = 'naïve "quotes" \\ <b>'
    tidegate.api.weight(10, reason=odd)
    assert odd in tidegate.cli("history").stdout
    assert odd in [made["reason"] for made in json.loads(tidegate.cli("history", "-o", "json").stdout)["decisions"]]


def test_the_admin_api_answers_beside_a_thousand_connections_that_say_nothing(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))))
    crowd = [lab.client(tidegate.admin_address) for _ in range(1000)]
    assert tidegate.api.get("/readyz").status == 200 and tidegate.api.weight(5)
    assert lab.client(tidegate).get("/").status == 200
    for one in crowd:
        one.close()
    assert tidegate.api.route()["weight"]["effective"] == 5


# --- everything at once

@pytest.mark.parametrize("up", ["http1", "http2"])
def test_after_a_storm_of_faults_hedges_retries_copies_and_reloads_nothing_is_left_in_any_account(lab, up):
    dice = random.Random(7)

    def script(connection):
        while request := connection.read_request():
            what = dice.random()
            if what < 0.1:
                return connection.rst()
            if what < 0.2:
                return
            if what < 0.3:
                connection.send(ok("no", "503 Unavailable"))
            elif what < 0.4:
                connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
                connection.over.wait(0.02)
                connection.send(ok("late"))
            elif what < 0.5:
                return connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            elif what < 0.6:
                connection.over.wait(0.05)
                connection.send(ok("slow"))
            else:
                connection.send(ok("fine" * dice.choice([1, 5000])))

    def handler(request):
        what = dice.random()
        if what < 0.2:
            return (200, [], None, None)
        if what < 0.4:
            return (503, [], b"no", None)
        return (200, [], b"fine" * dice.choice([1, 5000]), [("x-t", "1")] if what < 0.6 else None)

    class Origin(Http2Origin):
        def _begin(self, *request):
            with contextlib.suppress(h2.exceptions.ProtocolError):   # it was reset at the same time
                super()._begin(*request)

    make = (lambda: lab.origin(script, record=False)) if up == "http1" else (lambda: lab.keep(Origin(handler)))
    origins = [make() for _ in range(4)]
    cluster = {"protocol": up, "pool": {"connections": 6, "pending": 20}, "outlier": {"consecutive_errors": 3, "ejection": "100ms"},
               "timeouts": {"connect": "1s", "response_header": "1s", "idle": "1s"}}
    tidegate = lab.proxy(origins[0], workers=2, listener={"h2c": True}, memory={"buffers": "64MiB"},
                         clusters={"old": {"endpoints": [o.address for o in origins[:2]], **cluster},
                                   "new": {"endpoints": [o.address for o in origins[2:]], **cluster}}, weight=50,
                         route={"hedge": {"after": "10ms"}, "timeout": "2s", "mirror": {"percent": 50, "methods": ["GET", "PUT"]},
                                "retry": {"retries": 3, "on": ["connect", "reset", "timeout", "503"], "methods": "idempotent",
                                          "per_try_timeout": "200ms", "backoff": {"base": "5ms"}}, **WATCH})

    def http1(turns):
        for turn in range(turns):
            with Client(tidegate.address, timeout=10) as client:
                if turn % 5 == 0:
                    client.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
                    client.rst() if turn % 2 else None
                elif turn % 5 == 1:
                    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst")
                    client.send("last") if turn % 2 else client.rst()
                    if turn % 2:
                        client.read_response("PUT")
                else:
                    for _ in range(4):
                        if not client.get("/").complete:
                            break

    def http2(turns):
        for turn in range(turns):
            client = Http2Client(tidegate.address, timeout=10)
            streams = [client.start("/") for _ in range(6)]
            for stream in streams[:3] if turn % 2 else streams:
                client.finish(stream)
            client.close()

    threads = [threading.Thread(target=work, args=(25,)) for work in (http1, http1, http1, http2, http2)]
    for thread in threads:
        thread.start()
    turn = 0
    while any(thread.is_alive() for thread in threads):
        turn += 1

        def change(config):
            config["clusters"]["new" if turn % 2 else "old"]["timeouts"]["connect"] = f"{900 + turn}ms"
            config["routes"][0]["timeout"] = f"{2000 + turn}ms"
        tidegate.reload(changed(tidegate, change))
    eventually(lambda: tidegate.api.route()["in_flight"] == 0, "nothing in flight", 20)
    eventually(lambda: sum(value for (name, labels), value in tidegate.api.metrics().items()
                           if name == "tidegate_upstream_connections" and ("state", "active") in labels) == 0, "no connection in use", 20)

    def adds_up():
        metrics = tidegate.api.metrics()
        of = {dict(labels)["result"]: value for (name, labels), value in metrics.items() if name == "tidegate_mirror_requests_total"}
        return of["received"] == of["mirrored"] + sum(value for (name, _), value in metrics.items() if name == "tidegate_mirror_dropped_total")
    eventually(adds_up, "received = mirrored + dropped", 20)
    for side in ("old", "new"):
        requests, failed = attempts(tidegate, side)
        assert failed <= requests
