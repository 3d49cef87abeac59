"""When a request is asked again, and what it costs: issue 6 point 3, PRODUCT §2 retry."""
import threading
import time

import pytest
from hyperframe.frame import RstStreamFrame, WindowUpdateFrame

from harness import eventually, ok, serve, stays
from harness.faults import never_connects
from harness.frames import OK, FrameOrigin, headers, kind

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


def test_a_drain_that_is_over_ends_the_wait(lab):
    tidegate, client, origin = waits(lab, drain={"delay": "0s", "timeout": "200ms"})
    began = time.monotonic()
    assert tidegate.terminate() == 0
    assert time.monotonic() - began < 8


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
    assert client.read_response("POST").status == 200 and origin.last() == b"firstlast"
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
