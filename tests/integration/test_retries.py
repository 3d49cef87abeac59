"""When a request is asked again, and what it costs: issue 6 point 3, PRODUCT §2 retry."""
import threading
import time

import pytest
from hyperframe.frame import RstStreamFrame, SettingsFrame, WindowUpdateFrame

from harness import eventually, ok, serve, stays
from harness.faults import never_connects
from harness.frames import OK, PREFACE, FrameOrigin, data, frames, headers, kind

pytestmark = pytest.mark.one_worker

LONG = 20


def silent(connection):
    """Takes one request and never answers it."""
    connection.read_request()
    connection.wait_for_end(LONG)


def failures(tidegate, reason, cluster="new"):
    return tidegate.api.metric("tidegate_upstream_failures_total", cluster=cluster, reason=reason)


def only_new(retry, **more):
    """A route whose requests go to new and whose gate cannot revert."""
    return {"weight": 100, "route": {"gate": {"on_fail": "notify"}, "retry": retry, **more}}


# --- per_try_timeout

@pytest.mark.several_threads
def test_an_attempt_that_is_over_its_time_is_made_again_on_the_other_side(lab):
    new = lab.origin(silent)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, **only_new({"on": ["timeout"], "per_try_timeout": "100ms"}))
    assert lab.client(tidegate).get("/").text == "old"
    assert new.connections[0].over.wait(5)
    assert failures(tidegate, "timeout") == 1 and tidegate.api.metric("tidegate_retries_rescued_total", side="old") == 1


def test_an_attempt_that_is_over_its_time_is_504_where_timeout_is_not_named(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(silent), **only_new({"per_try_timeout": "100ms"}))
    response = lab.client(tidegate).get("/")
    assert response.status == 504 and "timeout" in response.text
    assert failures(tidegate, "timeout") == 1 and tidegate.api.metric("tidegate_retries_total") == 0


def test_each_attempt_has_a_time_of_its_own_and_the_route_has_the_last_word(lab):
    origin = lab.origin(silent)
    tidegate = lab.proxy(origin, route={"retry": {"retries": 3, "on": ["timeout"], "other_side": False, "per_try_timeout": "60ms"}})
    assert lab.client(tidegate).get("/").status == 504
    assert len(origin.requests) == 4 and failures(tidegate, "timeout", "old") == 4
    origin = lab.origin(silent)
    tidegate = lab.proxy(origin, route={"timeout": "150ms", "retry": {"retries": 3, "on": ["timeout"], "other_side": False,
                                                                     "per_try_timeout": "100ms"}})
    assert lab.client(tidegate).get("/").status == 504
    assert len(origin.requests) == 2


def test_a_handshake_that_hangs_is_over_with_its_attempt(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), never_connects(lab.keep), new_cluster={"timeouts": {"connect": "20s"}},
                         **only_new({"on": ["timeout"], "per_try_timeout": "100ms"}))
    assert lab.client(tidegate).get("/").text == "old"
    assert failures(tidegate, "timeout") == 1


def test_a_response_that_has_begun_in_time_may_take_longer(lab):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwh")
        connection.over.wait(0.3)
        connection.send("ole")

    tidegate = lab.proxy(lab.origin(script), route={"retry": {"on": ["timeout"], "per_try_timeout": "50ms"}})
    assert lab.client(tidegate).get("/").text == "whole"


def test_what_a_client_takes_to_send_its_body_is_not_time_of_the_attempt(lab):
    origin = lab.origin(serve(lambda request: ok(request.body)))
    client = lab.client(lab.proxy(origin, route={"retry": {"per_try_timeout": "50ms"}}))
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
    eventually(lambda: origin.requests, "the head at the origin")
    stays(lambda: origin.open_connections() == 1, "the attempt", 0.2)
    client.send("dy")
    assert client.read_response("POST").text == "body"


# --- backoff

SAME_SIDE = {"retries": 3, "other_side": False}


def test_a_side_that_is_asked_again_is_given_time(lab):
    """Three waits of 0..1 s: all of them shorter than 0.1 s together once in 6,000 runs."""
    began = []
    origin = lab.origin(lambda c: (c.read_request(), began.append(time.monotonic())))
    tidegate = lab.proxy(origin, route={"retry": {**SAME_SIDE, "backoff": {"base": "1s", "max": "1s"}}})
    assert lab.client(tidegate).get("/").status == 502
    assert len(began) == 4 and began[-1] - began[0] > 0.1


def test_the_other_side_is_asked_at_once(lab):
    new = lab.origin(lambda c: c.read_request())
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, **only_new({"backoff": {"base": "10s", "max": "10s"}}))
    began = time.monotonic()
    client = lab.client(tidegate)
    for _ in range(5):
        assert client.get("/").text == "old"
    assert time.monotonic() - began < 5


def waits(lab, drain=None, **route):
    """A Tidegate with one request that waits to be made again, its client and the origin. Waits of 0..10 s: one that is over before a test
    is done with it fails again, and waits anew."""
    origin = lab.origin(lambda c: c.read_request())
    tidegate = lab.proxy(origin, route={"retry": {**SAME_SIDE, "backoff": {"base": "10s", "max": "10s"}}, **route},
                         **({"drain": drain} if drain else {}))
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: failures(tidegate, "reset", "old") >= 1, "the first failure")
    return tidegate, client, origin


def test_a_request_that_waits_holds_no_connection(lab):
    tidegate, client, origin = waits(lab)
    eventually(lambda: origin.open_connections() == 0, "no connection to the side")
    assert tidegate.api.metric("tidegate_upstream_connections", cluster="old") == 0


def test_a_client_that_leaves_ends_the_wait(lab):
    tidegate, client, origin = waits(lab)
    client.close()
    tidegate.api.counts(1, "http_requests_total", status="499")
    assert tidegate.api.route("all")["in_flight"] == 0


def test_the_routes_timeout_ends_the_wait_with_504(lab):
    tidegate, client, origin = waits(lab, timeout="300ms")
    assert client.read_response().status == 504
    assert failures(tidegate, "timeout", "old") == 0, "nobody was asked when the time was over"


@pytest.mark.several_threads
def test_a_drain_that_is_over_ends_the_wait(lab):
    tidegate, client, origin = waits(lab, drain={"delay": "0s", "timeout": "200ms"})
    began = time.monotonic()
    assert tidegate.terminate() == 0
    assert time.monotonic() - began < 8


@pytest.mark.several_threads
def test_a_revert_reaches_a_request_that_waits(lab):
    new = lab.origin(lambda c: c.read_request())
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, **only_new({"retries": 1, "other_side": False, "backoff": {"base": "2s", "max": "2s"}}))
    clients = [lab.client(tidegate) for _ in range(3)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: failures(tidegate, "reset") >= 3, "the failures")
    tidegate.api.weight(0)
    answers = [client.read_response() for client in clients]
    assert "old" in [answer.text for answer in answers]


# --- bodies that are sent again

REFUSED_STREAM = 7


class RefusingOrigin(FrameOrigin):
    """Over HTTP/2: refuses the first stream once it has had `after` bytes of its body, with END_STREAM or not; answers the others.
    .bodies: by stream."""

    def __init__(self, after):
        self.bodies, self.refused = {}, threading.Event()
        self.after = after
        super().__init__(self._react)

    def _react(self, connection, frame):
        if kind(frame) not in ("Headers", "Data"):
            return
        self.bodies[frame.stream_id] = self.bodies.get(frame.stream_id, b"") + (frame.data if kind(frame) == "Data" else b"")
        if kind(frame) == "Data" and frame.data:
            self.send(connection, WindowUpdateFrame(0, window_increment=len(frame.data)).serialize())
        first = frame.stream_id == min(self.bodies)
        if first and not self.refused.is_set() and len(self.bodies[frame.stream_id]) >= self.after:
            self.send(connection, RstStreamFrame(frame.stream_id, REFUSED_STREAM).serialize())
            self.refused.set()
        elif not first and "END_STREAM" in frame.flags:
            self.send(connection, headers(frame.stream_id, OK, "END_STREAM"))

    def last(self):
        return self.bodies[max(self.bodies)]


def counted_for_nobody(tidegate):
    eventually(lambda: tidegate.api.route("all")["in_flight"] == 0, "the exchange's end")
    assert tidegate.api.failures_of_sides() == 0
    assert tidegate.api.metric("tidegate_retries_total") == 0


@pytest.mark.several_threads
@pytest.mark.parametrize("size", [1, 2_000, 20_000, 60_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_post_that_an_upstream_refuses_is_sent_again_with_its_body(lab, size, framing):
    origin = lab.keep(RefusingOrigin(size))
    tidegate = lab.proxy(origin, cluster={"protocol": "http2"}, route={"retry": {"retries": 0}})
    client = lab.client(tidegate)
    body = bytes(i * 7 % 251 for i in range(size))
    assert client.post(body, trailers=None if framing == "length" else []).status == 200
    assert origin.refused.is_set() and origin.last() == body
    assert client.post(b"next").status == 200 and origin.last() == b"next"
    counted_for_nobody(tidegate)


def test_a_post_that_is_refused_in_the_middle_of_its_body_goes_on_from_its_begin(lab):
    origin = lab.keep(RefusingOrigin(5))
    tidegate = lab.proxy(origin, cluster={"protocol": "http2"})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst")
    eventually(lambda: len(origin.bodies) == 2 and origin.last() == b"first", "the body's begin at the origin again")
    client.send("lastGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.read_response("POST").status == 200 and b"firstlast" in origin.bodies.values()
    assert client.read_response().status == 200
    counted_for_nobody(tidegate)


def test_a_body_over_http2_is_sent_again_too(lab):
    origin = lab.keep(RefusingOrigin(30_000))
    tidegate = lab.proxy(origin, listener={"h2c": True}, cluster={"protocol": "http2"})
    client = lab.http2_client(tidegate)
    assert client.finish(client.start(method="POST", body=b"x" * 30_000)).status == 200
    assert origin.last() == b"x" * 30_000
    counted_for_nobody(tidegate)


def test_a_body_that_is_longer_than_the_buffer_is_sent_once(lab):
    origin = lab.keep(RefusingOrigin(1_025))
    tidegate = lab.proxy(origin, cluster={"protocol": "http2"}, route={"retry": {"buffer": "1KiB"}})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1026\r\n\r\n" + "x" * 1_025)
    assert client.read_response("POST").status == 502
    assert len(origin.bodies) == 1 and failures(tidegate, "reset", "old") == 1


def test_a_put_is_saved_by_the_other_side_with_its_body_where_idempotent_methods_are_repeated(lab):
    def reads_and_breaks(connection):
        connection.read_request()
        connection.rst()

    def refuses_early(connection):
        connection.read_head()
        connection.send(ok("busy", "503 Service Unavailable"))
        connection.wait_for_end(LONG)

    old = lab.origin(serve(lambda request: ok(request.body)))
    for script in (reads_and_breaks, refuses_early):
        new = lab.origin(script)
        tidegate = lab.proxy(old, new, **only_new({"methods": "idempotent", "on": ["reset", "503"]}))
        client = lab.client(tidegate)
        for _ in range(2):
            assert client.post(b"body" * 2_000, method="PUT").body == b"body" * 2_000
            assert client.post(b"body", method="PUT", trailers=[("a", "b")]).body == b"body"
        assert client.post(b"body").status in (502, 503), "POST is not idempotent"
        assert tidegate.api.metric("tidegate_retries_rescued_total", side="old") == 4


def test_the_rest_of_a_body_goes_to_the_side_that_is_asked_again(lab):
    """An answer that asks for a retry comes while the client still sends."""
    def refuses_early(connection):
        connection.read_head()
        connection.send(ok("busy", "503 Service Unavailable"))
        connection.wait_for_end(LONG)

    old = lab.origin(serve(lambda request: ok(request.body)))
    tidegate = lab.proxy(old, lab.origin(refuses_early), **only_new({"methods": "idempotent", "on": ["503"]}))
    client = lab.client(tidegate)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nfirs")
    eventually(lambda: old.requests, "the head at the other side")
    client.send("tend")
    assert client.read_response("PUT").text == "firstend"


def test_a_put_on_a_kept_connection_that_the_upstream_closes_meanwhile_costs_nothing(lab):
    """It closes when it has read the request, so that the race is lost each time."""
    def script(connection):
        if connection.read_request():
            connection.send(ok("x"))
            connection.read_request()

    origin = lab.origin(script)
    tidegate = lab.proxy(origin, route={"retry": {"retries": 0}})
    client = lab.client(tidegate)
    for turn in range(20):
        assert client.post(b"body%d" % turn, method="PUT").status == 200, turn
    assert {request.body for request in origin.requests} == {b"body%d" % turn for turn in range(20)}
    counted_for_nobody(tidegate)


@pytest.mark.several_threads
def test_the_mirrors_copy_of_a_body_that_is_sent_again_is_whole_and_one(lab):
    origin = lab.keep(RefusingOrigin(5))
    shadow = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, shadow, cluster={"protocol": "http2"}, new_cluster={"protocol": "http1"},
                         route={"mirror": {"percent": 100, "methods": ["POST"]}})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfirst")
    eventually(lambda: len(origin.bodies) == 2, "the request at the origin again")
    client.send("last")
    assert client.read_response("POST").status == 200
    eventually(lambda: [request.body for request in shadow.requests] == [b"firstlast"], "the copy")


# --- hedging

class Pair:
    """Two endpoints of old: the first request that comes, to whichever of them, is held until .release is set; each says its name."""

    def __init__(self, lab, hold=1):
        self.release, self.lock, self.left = threading.Event(), threading.Lock(), hold
        self.origins = [lab.origin(self._script(name)) for name in ("a", "b")]
        self.held = []

    def _script(self, name):
        def script(connection):
            while True:
                request = connection.read_request()
                if request is None:
                    return
                with self.lock:
                    is_held, self.left = self.left > 0, max(self.left - 1, 0)
                if is_held:
                    self.held.append((name, connection))
                    connection.wait(self.release)
                    if connection.socket.fileno() >= 0:  # the test may have ended it
                        connection.send(ok("held"))
                else:
                    connection.send(ok(name))
        return script

    def proxy(self, lab, hedge, **route):
        addresses = [origin.address for origin in self.origins]
        return lab.proxy(addresses[0], clusters={"old": {"endpoints": addresses}, "new": {"endpoints": ["127.0.0.1:9"]}},
                         route={"hedge": hedge, "retry": {"retries": 0}, **route})

    def requests(self):
        return sum(len(origin.requests) for origin in self.origins)


def hedges(tidegate, result):
    return tidegate.api.metric("tidegate_hedges_total", side="old", result=result)


def counted_once(tidegate, requests):
    eventually(lambda: tidegate.api.route("all")["in_flight"] == 0, "the exchange's end")
    tidegate.api.counts(requests, "http_requests_total")
    assert tidegate.api.failures_of_sides() == 0
    eventually(lambda: tidegate.api.route("all")["gate"]["step"]["old"]["requests"] == requests, "the gate's count")
    assert tidegate.api.route("all")["gate"]["step"]["old"]["failures"] == 0


@pytest.mark.several_threads
def test_a_request_that_takes_long_is_answered_by_another_endpoint(lab):
    pair = Pair(lab)
    tidegate = pair.proxy(lab, {"after": "50ms"})
    client = lab.client(tidegate)
    answer = client.get("/")
    name, connection = pair.held[0]
    assert answer.text == ("b" if name == "a" else "a")
    pair.release.set()
    assert connection.over.wait(5) or connection.wait_for_end(5), "the first attempt is cancelled"
    assert client.get("/").status == 200 and pair.requests() == 3
    counted_once(tidegate, 2)
    assert hedges(tidegate, "won") == 1 and hedges(tidegate, "lost") == 0


def test_the_first_attempt_answers_when_it_is_first(lab):
    pair = Pair(lab, hold=2)
    tidegate = pair.proxy(lab, {"after": "20ms"})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(pair.held) == 2, "the hedge at its origin")
    assert pair.held[0][0] != pair.held[1][0], "another endpoint"
    pair.held[0][1].send(ok("first"))
    assert client.read_response().text == "first"
    assert pair.held[1][1].wait_for_end(5), "the hedge is cancelled"
    counted_once(tidegate, 1)
    assert hedges(tidegate, "won") == 0 and hedges(tidegate, "lost") == 1


def test_a_hedge_that_fails_leaves_the_first_attempt_alone(lab):
    for bad in (lambda c: c.rst(), lambda c: c.send(ok("no", "503 Service Unavailable"))):
        pair = Pair(lab, hold=2)
        tidegate = pair.proxy(lab, {"after": "20ms"})
        client = lab.client(tidegate)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: len(pair.held) == 2, "the hedge at its origin")
        bad(pair.held[1][1])
        stays(lambda: pair.requests() == 2, "the first attempt", 0.1)
        pair.held[0][1].send(ok("first"))
        assert client.read_response().text == "first"
        pair.release.set()
        eventually(lambda: hedges(tidegate, "lost") == 1, "it lost")
        assert sum(failures(tidegate, reason, "old") for reason in ("reset", "status")) == 1
        assert tidegate.api.route("all")["gate"]["step"]["old"]["failures"] == 0


def test_a_hedge_that_is_under_way_saves_a_request_whose_first_attempt_breaks(lab):
    pair = Pair(lab, hold=2)
    tidegate = pair.proxy(lab, {"after": "20ms"})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(pair.held) == 2, "the hedge at its origin")
    pair.held[0][1].rst()
    eventually(lambda: failures(tidegate, "reset", "old") == 1, "the first attempt's failure")
    pair.held[1][1].send(ok("second"))
    assert client.read_response().text == "second"
    pair.release.set()
    assert hedges(tidegate, "won") == 1


@pytest.mark.several_threads
@pytest.mark.parametrize("ends", ["client", "route", "attempt", "drain"])
def test_what_ends_a_request_ends_both_of_its_attempts(lab, ends):
    pair = Pair(lab, hold=2)
    route = {"timeout": "200ms"} if ends == "route" else {"retry": {"retries": 0, "per_try_timeout": "200ms"}} if ends == "attempt" else {}
    tidegate = pair.proxy(lab, {"after": "20ms"}, **route)
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(pair.held) == 2, "the hedge at its origin")
    if ends == "client":
        client.close()
    elif ends == "drain":
        tidegate.signal(15)
        client.close()
        assert tidegate.wait(15) == 0
    else:
        assert client.read_response().status == 504
    for _, connection in pair.held:
        assert connection.wait_for_end(5)
    if ends != "drain":
        eventually(lambda: hedges(tidegate, "lost") == 1, "it lost")


def test_a_hedge_that_waits_for_a_connection_to_new_does_not_go_there_after_a_revert(lab):
    go, asked = threading.Event(), []

    def busy(connection):
        while request := connection.read_request():
            asked.append(request.target)
            go.wait(20)
            connection.send(ok("new"))

    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(busy, record=False), weight=100, new_cluster={"pool": {"connections": 2}},
                         route={"hedge": {"after": "50ms"}, "retry": {"retries": 0, "budget": "100%"}, "gate": {"on_fail": "notify"}})
    clients = [lab.client(tidegate) for _ in range(2)]
    for i, client in enumerate(clients):
        client.send(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(asked) == 2, "both connections are busy")
    stays(lambda: len(asked) == 2, "their hedges wait for one", 0.3)
    tidegate.api.weight(0)
    clients[0].rst()        # its connection to new closes: there is room for one more
    stays(lambda: sorted(asked) == ["/0", "/1"], "new is not asked after its weight is 0", 0.5)
    go.set()
    assert clients[1].read_response().text == "new"


@pytest.mark.parametrize("endpoints", [3, 1], ids=["more_endpoints_than_old", "as_many_as_old"])
def test_the_hedge_of_an_attempt_that_a_revert_turned_to_old_is_given_up(lab, endpoints):
    """It was on its way to new, and won there for an attempt at old: with new's numbers of connections in old's pool."""
    go, answer_old, late = threading.Event(), threading.Event(), []

    def script(connection):
        assert connection._source.take(len(PREFACE)) == PREFACE
        go.wait(20)
        connection.send(SettingsFrame(0, settings={3: 100}).serialize())
        for frame in frames(lambda: connection._source.some(262144)):
            if kind(frame) == "Headers":
                late.append(frame.stream_id)
                connection.send(headers(frame.stream_id, OK) + data(frame.stream_id, b"new", "END_STREAM"))

    def slow(connection):
        while connection.read_request():
            answer_old.wait(20)
            connection.send(ok("old"))

    old = lab.origin(slow, record=False)
    new = [lab.origin(script, record=False) for _ in range(endpoints)]
    timeouts = {"connect": "15s", "response_header": "15s"}
    tidegate = lab.proxy(old, weight=100, listener={"h2c": True},
                         clusters={"old": {"endpoints": [old.address], "timeouts": timeouts},
                                   "new": {"endpoints": [one.address for one in new], "protocol": "http2", "timeouts": timeouts}},
                         route={"hedge": {"after": "50ms"}, "retry": {"retries": 0, "budget": "100%"}, "gate": {"on_fail": "notify"}})
    client = lab.http2_client(tidegate)
    client._take(client.peer.events())
    streams = [client.start(f"/{i}") for i in range(16)]
    time.sleep(0.4)                     # they wait for the SETTINGS of new, and so do their hedges
    tidegate.api.weight(0)
    eventually(lambda: len(old.requests) >= 16 - 2 * endpoints - 2, "those that waited are at old")
    go.set()
    stays(lambda: tidegate.process.poll() is None, "it lives", 0.5)
    answer_old.set()
    answers = [client.finish(stream) for stream in streams]
    assert len(late) <= endpoints, "one a connection had gone out before the revert"
    assert {(answer.status, answer.reset) for answer in answers} == {(200, None)}
    bodies = [answer.body for answer in answers]
    tidegate.api.counts(16, "http_requests_total")
    counted = {side: tidegate.api.metric("http_requests_total", side=side) for side in ("old", "new")}
    assert counted == {"old": bodies.count(b"old"), "new": bodies.count(b"new")}


def test_only_safe_requests_without_a_body_are_hedged(lab):
    pair = Pair(lab, hold=2)
    tidegate = pair.proxy(lab, {"after": "20ms"})
    clients = [lab.client(tidegate), lab.client(tidegate)]
    clients[0].send("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n")
    clients[1].send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    eventually(lambda: len(pair.held) == 2, "both")
    stays(lambda: pair.requests() == 2, "no hedge")
    pair.release.set()
    assert [client.read_response().text for client in clients] == ["held", "held"]


@pytest.mark.several_threads
def test_hedges_are_on_the_budget_of_retries(lab):
    """3 always may."""
    pair = Pair(lab, hold=100)
    tidegate = pair.proxy(lab, {"after": "20ms"})
    clients = [lab.client(tidegate) for _ in range(10)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: pair.requests() == 13, "three hedges")
    stays(lambda: pair.requests() == 13, "no more")
    pair.release.set()
    assert [client.read_response().status for client in clients] == [200] * 10
    eventually(lambda: hedges(tidegate, "won") + hedges(tidegate, "lost") == 3, "three")


@pytest.mark.several_threads
def test_the_percentile_is_the_sides_own(lab):
    pair = Pair(lab, hold=0)
    tidegate = pair.proxy(lab, {"after": "p95"})
    client = lab.client(tidegate)
    for _ in range(99):
        assert client.get("/").status == 200
    pair.left = 1
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: pair.held, "the slow one")
    stays(lambda: pair.requests() == 100, "no hedge before the worker has seen 100")
    pair.release.set()
    assert client.read_response().text == "held"
    pair.release.clear()
    pair.left = 1
    assert client.get("/").text in ("a", "b")
    pair.release.set()
    assert hedges(tidegate, "won") == 1


@pytest.mark.parametrize("listener", [{}, {"h2c": True}])
def test_hedging_works_over_http2(lab, listener):
    release = threading.Event()
    first = []

    def handler(request):
        if not first:
            first.append(request)
            release.wait(20)
            return (200, [], b"held", None)
        return (200, [], b"quick", None)

    origins = [lab.http2_origin(handler) for _ in range(2)]
    tidegate = lab.proxy(origins[0], clusters={"old": {"endpoints": [o.address for o in origins], "protocol": "http2"},
                                               "new": {"endpoints": ["127.0.0.1:9"]}},
                         listener=listener, route={"hedge": {"after": "50ms"}})
    client = lab.http2_client(tidegate) if listener else lab.client(tidegate)
    assert client.get("/").body == b"quick"
    release.set()
    assert client.get("/").body == b"quick"
    assert hedges(tidegate, "won") == 1
    counted_once(tidegate, 2)
