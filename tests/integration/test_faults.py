"""What a side, a client or the network does wrong, and what Tidegate answers: PRODUCT §2 limits and timeouts, issue 2 points 3 and 6."""
import socket
import threading
import time

import pytest

from harness import Client, eventually, memory_slack, ok, serve, stays
from harness.http1 import Cut
from harness.ports import refusing_address

pytestmark = pytest.mark.one_worker

NO_RETRY = {"retry": {"retries": 0}}


def is_served(tidegate):
    with Client(tidegate.address, timeout=2) as client:
        return client.get("/").status == 200


@pytest.fixture
def blackhole(lab):
    """A loopback address that never completes a handshake: a listener whose backlog is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    lab.keep(listener)
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        lab.keep(filler)
    return "127.0.0.1:%d" % listener.getsockname()[1]


# --- upstream

def test_a_refused_connection_is_502_with_its_reason(lab):
    tidegate = lab.proxy(refusing_address())
    client = lab.client(tidegate)
    for _ in range(3):
        response = client.get("/")
        assert response.status == 502 and "connect" in response.text


def test_a_side_that_never_answers_the_handshake_is_a_failure_to_connect_in_time(lab, blackhole):
    tidegate = lab.proxy(blackhole, cluster={"timeouts": {"connect": "200ms"}}, route=NO_RETRY)
    began = time.monotonic()
    response = lab.client(tidegate).get("/")
    assert response.status in (502, 504) and "connect" in response.text
    assert 0.15 < time.monotonic() - began < 5


def test_no_response_head_in_time_is_504(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()))
    tidegate = lab.proxy(origin, cluster={"timeouts": {"response_header": "200ms"}}, route=NO_RETRY)
    client = lab.client(tidegate)
    response = client.get("/")
    assert response.status == 504 and "timeout" in response.text
    assert origin.connections[0].over.wait(5)
    assert client.get("/").status == 504     # the client's connection lives on


def test_half_a_response_head_in_time_is_504(lab):
    tidegate = lab.proxy(lab.origin(lambda c: (c.read_request(), c.send("HTTP/1.1 200 OK\r\nX: "), c.wait_for_end())),
                         cluster={"timeouts": {"response_header": "200ms"}}, route=NO_RETRY)
    assert lab.client(tidegate).get("/").status == 504


def test_a_response_head_that_dribbles_does_not_outlive_its_deadline(lab):
    def script(connection):
        connection.read_request()
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
            connection.send(bytes([byte]))
            if connection.over.wait(0.05):
                return

    tidegate = lab.proxy(lab.origin(script), cluster={"timeouts": {"response_header": "400ms"}}, route=NO_RETRY)
    began = time.monotonic()
    assert lab.client(tidegate).get("/").status == 504
    assert time.monotonic() - began < 5


def test_informational_responses_do_not_outlive_the_deadline(lab):
    def script(connection):
        connection.read_request()
        for _ in range(12):
            connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
            time_passes.wait(0.1)
        connection.wait_for_end()

    time_passes = threading.Event()
    tidegate = lab.proxy(lab.origin(script), cluster={"timeouts": {"response_header": "300ms"}}, route=NO_RETRY)
    assert lab.client(tidegate).get("/").status == 504


def test_the_routes_timeout_bounds_the_whole_exchange(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()))
    tidegate = lab.proxy(origin, route={"timeout": "300ms", "retry": {"retries": 3, "on": ["timeout", "connect"]}})
    began = time.monotonic()
    assert lab.client(tidegate).get("/").status == 504
    assert time.monotonic() - began < 5


def test_a_connection_closed_before_a_response_is_502(lab):
    tidegate = lab.proxy(lab.origin(lambda c: c.read_request()), route=NO_RETRY)
    client = lab.client(tidegate)
    assert client.get("/").status == 502 and client.post(b"x").status == 502


def test_a_kept_connection_that_the_upstream_closed_meanwhile_costs_no_request(lab):
    """RFC 9112 §9.3.1: the request is sent again on a fresh connection, or the dead one is never used."""
    def script(connection):
        if connection.read_request():
            connection.send(ok("x"))

    origin = lab.origin(script)
    client = lab.client(lab.proxy(origin))
    for _ in range(200):
        assert client.get("/").status == 200
    for _ in range(50):     # a POST is not sent twice, so the end has to be known before it
        eventually(lambda: all(c.socket.fileno() < 0 for c in origin.connections), "the origin's close")
        assert client.post(b"body").status == 200


@pytest.mark.several_threads
def test_an_upstream_that_closes_every_idle_connection_at_random_costs_no_safe_request(lab):
    def script(connection):
        for _ in range(1 + connection.index % 3):
            if connection.read_request() is None:
                return
            connection.send(ok("x"))
        if connection.index % 2:
            connection.rst()

    tidegate = lab.proxy(lab.origin(script))
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(300)] == [200] * 300


def test_a_full_pool_is_503_with_retry_after_and_says_so(lab):
    go = threading.Event()
    origin = lab.origin(serve(lambda request: go.wait(20) and ok("x")))
    tidegate = lab.proxy(origin, cluster={"pool": {"connections": 2, "pending": 3}}, route=NO_RETRY)
    busy = [lab.client(tidegate) for _ in range(5)]
    for client in busy:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(origin.requests) == 2, "two requests at the origin")
    late = lab.client(tidegate)
    answers = []

    def overflowed():
        response = late.get("/")
        answers.append(response.status)
        return response if response.status == 503 else None

    response = eventually(overflowed, "the overflow", 5)
    assert response.get("retry-after") and "overloaded" in response.text
    go.set()
    assert [client.read_response().status for client in busy] == [200] * 5
    assert late.get("/").status == 200


def test_requests_wait_for_a_connection_in_their_turn(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), cluster={"pool": {"connections": 1, "pending": 500}})
    clients = [lab.client(tidegate) for _ in range(100)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    for client in clients:
        assert [client.read_response().status for _ in range(3)] == [200] * 3


def test_requests_per_connection_is_kept(lab):
    origin = lab.origin(serve(ok("x")))
    client = lab.client(lab.proxy(origin, cluster={"pool": {"requests_per_connection": 3}}))
    assert [client.get("/").status for _ in range(9)] == [200] * 9
    assert len(origin.connections) == 3


def test_an_idle_upstream_connection_is_closed_after_its_time(lab):
    origin = lab.origin(serve(ok("x")))
    lab.client(lab.proxy(origin, cluster={"pool": {"idle_timeout": "200ms"}})).get("/")
    assert origin.connections[0].over.wait(5)


def test_two_endpoints_share_the_requests_and_one_that_refuses_is_survived_by_safe_requests(lab):
    a, b = lab.origin(serve(ok("a"))), lab.origin(serve(ok("b")))
    tidegate = lab.proxy(a, cluster={"endpoints": [a.address, b.address], "pool": {"requests_per_connection": 1}})
    client = lab.client(tidegate)
    texts = [client.get("/").text for _ in range(80)]
    assert 20 <= texts.count("a") <= 60  # drawn at random: outside of it once in a million
    b.close()
    assert [client.get("/").status for _ in range(20)] == [200] * 20


# --- client

def test_a_head_that_takes_too_long_is_408(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener={"timeouts": {"header": "300ms"}})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost:")
    response = client.read_response()
    assert response.status == 408 and response.get("connection") == "close" and client.is_closed()


def test_a_head_that_dribbles_is_408_after_the_whole_time(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener={"timeouts": {"header": "500ms"}})
    client = lab.client(tidegate)
    began = time.monotonic()
    for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000:
        if not client.try_send(bytes([byte])) or client.is_closed(0.05) or client._source.buffer:
            break
    assert client.read_response().status == 408 and time.monotonic() - began < 5


def test_a_body_that_stalls_is_408_and_the_upstream_never_sees_it_whole(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()))
    tidegate = lab.proxy(origin, listener={"timeouts": {"body_idle": "300ms"}})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    response = client.read_response()
    assert response.status == 408 and client.is_closed()
    assert origin.connections[0].over.wait(5) and not origin.requests[0].complete


def test_a_body_longer_than_allowed_is_413(lab):
    origin = lab.origin(serve(lambda r: ok(str(r.size))))
    tidegate = lab.proxy(origin, listener={"limits": {"body_bytes": "1KiB"}})
    client = lab.client(tidegate)
    assert client.post(b"x" * 1024).text == "1024"
    response = client.post(b"x" * 1025)
    assert response.status == 413 and response.get("connection") == "close" and client.is_closed()
    client = lab.client(tidegate)
    client.send(b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"200\r\n" + b"x" * 512 + b"\r\n")
    client.try_send(b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n")
    assert client.read_response().status == 413 and client.is_closed()
    assert [r.complete for r in origin.requests if r.target == "/c"] in ([], [False])


def test_an_idle_client_connection_is_closed_after_its_time(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener={"timeouts": {"idle": "300ms"}})
    used = lab.client(tidegate)
    assert used.get("/").status == 200
    assert used.is_closed() == "fin"


def test_a_client_connection_that_never_sends_anything_is_closed_after_the_idle_time(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener={"timeouts": {"idle": "300ms"}})
    assert lab.client(tidegate).is_closed() == "fin"


@pytest.mark.several_threads
def test_more_connections_than_allowed_wait_or_are_refused_and_the_others_are_served(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener={"limits": {"connections": 5}})
    first = [lab.client(tidegate) for _ in range(5)]
    for client in first:
        assert client.get("/").status == 200
    more = [Client(tidegate.address, timeout=2) for _ in range(10)]
    for client in more:
        client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    for client in first:
        assert client.get("/").status == 200
    for client in more + first:
        client.close()
    eventually(lambda: is_served(tidegate), "service after they left")


@pytest.mark.parametrize("how", ["fin", "rst", "close"])
def test_a_client_that_leaves_ends_the_upstream_request_soon(lab, how):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send("GET /left HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: origin.requests, "the request at the origin")
    getattr(client, how)()
    assert origin.connections[0].over.wait(5), "it goes on for nobody"
    assert len(origin.requests) == 1, "it was retried for nobody"
    if tidegate.api:
        eventually(lambda: tidegate.api.metric("http_requests_total", status="499") == 1, "a 499 in the metrics")


def test_a_client_that_resets_with_a_pipelined_request_unread_ends_the_upstream_request_soon(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send("GET /left HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: origin.requests, "the request at the origin")
    client.rst()
    assert origin.connections[0].over.wait(5), "it goes on for nobody"


def test_a_client_that_leaves_during_its_upload_ends_the_upstream_request_soon(lab):
    origin = lab.origin(lambda c: c.read_request())
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
    eventually(lambda: origin.requests, "the request at the origin")
    client.rst()
    assert origin.connections[0].over.wait(5) and not origin.requests[0].complete


def test_a_client_that_leaves_during_the_response_ends_the_upstream_request_soon(lab):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not connection.over.is_set():
            connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    origin = lab.origin(script)
    client = lab.client(lab.proxy(origin))
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client._source.until(b"\r\n\r\n")
    client.rst()
    eventually(lambda: origin.connections[0].socket.fileno() < 0, "the end of the upstream connection", 5)


def test_a_client_that_half_closes_after_its_request_within_a_pipeline_gets_what_it_asked_for(lab):
    """Requests that are complete when the client ends its direction: the pipelined ones before the last are answered."""
    tidegate = lab.proxy(lab.origin(serve(lambda r: ok(r.target))))
    client = lab.client(tidegate)
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    client.fin()
    assert client.read_response().text == "/1"


def test_a_client_that_never_reads_does_not_grow_memory(lab):
    sent = [0]

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        block = b"x" * 65536
        for _ in range(16384):
            connection.send(block)
            sent[0] += len(block)

    tidegate = lab.proxy(lab.origin(script, record=False))
    before = tidegate.rss_mib()
    clients = [lab.client(tidegate, receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    last = [-1]

    def still():
        same, last[0] = sent[0] == last[0] and sent[0] > 0, sent[0]
        return same

    eventually(still, "the origin held back", 20, 0.3)
    assert sent[0] < 20 * 16 * 1024 * 1024
    assert tidegate.rss_mib() - before < 20 * memory_slack()


def test_a_client_that_never_reads_is_dropped_after_its_idle_time(lab):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(16384):
            connection.send(b"x" * 65536)

    origin = lab.origin(script)
    tidegate = lab.proxy(origin, listener={"timeouts": {"body_idle": "500ms"}})
    client = lab.client(tidegate, receive_buffer=4096)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: origin.connections and origin.connections[0].socket.fileno() < 0, "the end of the upstream", 10)


@pytest.mark.several_threads
@pytest.mark.parametrize("how", ["rst", "close"])
@pytest.mark.parametrize("answering", [True, False], ids=["answered", "unanswered"])
def test_clients_that_vanish_at_each_byte_leave_nothing_behind(lab, how, answering):
    data = (b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nabcde\r\n0\r\n\r\nPOST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
    origin = lab.origin(serve(ok("x" * 100)) if answering else lambda c: c.wait_for_end(10), record=False)
    # With a pipelined request unread a FIN may be a half-close: such a client is answered, or given up in time.
    tidegate = lab.proxy(origin, new=origin, weight=50, route={"timeout": "1s"})
    before = tidegate.sockets()
    for count in range(len(data) + 1):
        client = Client(tidegate.address)
        client.send(data[:count])
        if count % 3 == 0:
            client.is_closed(0.002)     # let it get to work
        getattr(client, how)()
    with Client(tidegate.address) as client:
        if answering:
            assert client.get("/").status == 200
    eventually(lambda: tidegate.sockets() - origin.open_connections() <= before, "every socket closed", 5)


@pytest.mark.parametrize("how", ["rst", "close"])
def test_clients_that_vanish_while_a_response_of_every_kind_comes_leave_nothing_behind(lab, how):
    def script(connection):
        kinds = [b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000,
                 b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n%s\r\n" % (b"x" * 4096) * 50 + b"0\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200000]
        while request := connection.read_request():
            kind = int(request.target[1:]) % 3
            connection.send(kinds[kind])
            if kind == 2:
                return

    origin = lab.origin(script, record=False)
    tidegate = lab.proxy(origin)
    before = tidegate.sockets()
    for i in range(120):
        client = Client(tidegate.address, receive_buffer=4096)
        client.send(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            client._source.take(1 + i * 37)
        except Cut:
            pass
        getattr(client, how)()
    eventually(lambda: tidegate.sockets() - origin.open_connections() <= before, "every socket closed", 5)
    with Client(tidegate.address) as client:
        assert client.get("/0").size == 200000


@pytest.mark.several_threads
def test_out_of_descriptors_it_keeps_serving_does_not_spin_and_recovers(lab):
    import resource
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, process={"limits": {resource.RLIMIT_NOFILE: 64}})
    served = Client(tidegate.address)
    assert served.get("/").status == 200
    crowd = []
    for _ in range(100):
        client = Client(tidegate.address)
        crowd.append(client)
    assert served.get("/").status == 200
    began, cpu = time.monotonic(), tidegate.cpu_seconds()
    stays(lambda: tidegate.process.poll() is None, "the process", 1.0, 0.1)
    assert tidegate.cpu_seconds() - cpu < 0.5 * (time.monotonic() - began)
    for client in crowd:
        client.close()
    eventually(lambda: is_served(tidegate), "service for new clients", 5)
    served.close()


@pytest.mark.several_threads
def test_out_of_descriptors_for_the_upstream_it_is_503_and_nobody_s_failure(lab):
    """Before a gate that would revert at the first ten failures of new, and for an old that would rescue what new failed."""
    import resource
    log = lab.directory / "access.log"
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, weight=100, route={"gate": {"breaker": {"requests": 10, "for": "0s"}, "min_requests": 1}},
                         log={"access": {"path": str(log)}})
    clients = [lab.client(tidegate) for _ in range(20)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\n")             # accepted, and the head is not complete
    tidegate.api.counts(20, "tidegate_downstream_connections")
    hard = resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE, (1, hard))
    try:
        for client in clients:
            client.send("Host: a\r\n\r\n")
            answer = client.read_response()
            assert (answer.status, answer.get("retry-after")) == (503, "1")
    finally:
        resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert {client.get("/").text for client in clients} == {"new"}
    assert not tidegate.api.route()["latched"] and not old.requests
    metric = tidegate.api.metric
    assert metric("tidegate_upstream_failures_total", cluster="new", reason="overflow") == 20
    assert metric("tidegate_upstream_failures_total", cluster="new", reason="connect") == 0
    assert metric("tidegate_retries_total") == 0
    lines = eventually(lambda: (records := log.read_text().splitlines()) and len(records) >= 40 and records, "the access log")
    assert sum('"reason":"no descriptor, port or memory for an upstream connection"' in line for line in lines) == 20
