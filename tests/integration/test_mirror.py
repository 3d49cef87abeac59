"""A copy can never hurt the original, and received = mirrored + dropped always adds up. PRODUCT §3 Mirror, issue 2 point 5."""
import threading

import pytest

from harness import eventually, memory_slack, ok, serve
from harness.faults import never_connects
from harness.ports import refusing_address

MIB = 1024 * 1024


def settled(tidegate, received=None, seconds=15):
    """The mirror's counts once nothing is in flight; they add up."""
    def at_rest():
        mirror = tidegate.api.route()["mirror"]
        assert mirror["in_flight"] == 0, mirror
        assert received is None or mirror["received"] == received, mirror
        return mirror

    mirror = eventually(at_rest, "the mirror at rest", seconds, 0.05)
    assert mirror["received"] == mirror["mirrored"] + sum(mirror["dropped"].values()), mirror
    text = tidegate.api.metrics()
    sums = {key: sum(v for (name, labels), v in text.items() if name == series and want <= labels)
            for key, series, want in [
                ("received", "tidegate_mirror_requests_total", {("result", "received")}),
                ("mirrored", "tidegate_mirror_requests_total", {("result", "mirrored")}),
                ("dropped", "tidegate_mirror_dropped_total", set())]}
    assert sums["received"] == sums["mirrored"] + sums["dropped"] == mirror["received"], sums
    return mirror


def test_a_copy_arrives_with_the_mark_and_the_originals_request_id(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, route={"mirror": {"percent": 100}})
    client = lab.client(tidegate)
    assert client.get("/path?q=1", host="shop.example", fields="X-A: b\r\nCookie: c\r\nx-tidegate-mirror: 7\r\n").text == "old"
    assert settled(tidegate, 1)["mirrored"] == 1
    original, copy = old.requests[0], new.requests[0]
    assert (copy.method, copy.target, copy.get("host"), copy.get("x-a"), copy.get("cookie")) == (
        "GET", "/path?q=1", "shop.example", "b", "c")
    assert copy.get("x-tidegate-mirror") == "1" and original.get("x-tidegate-mirror") is None
    assert copy.get("x-request-id") == original.get("x-request-id") and copy.get("x-request-id")
    assert copy.get("x-forwarded-for") == "127.0.0.1"
    assert copy.get("traceparent") == original.get("traceparent")


def test_the_client_sees_only_the_original_byte_for_byte(lab):
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Old: yes\r\n\r\n4\r\nbody\r\n0\r\nT: 1\r\n\r\n"
    old = lab.origin(serve(answer))
    new = lab.origin(serve(ok("n" * 10000, "500 Oops", "X-New: yes\r\nSet-Cookie: a=b\r\n")))
    plain = lab.proxy(old)
    mirrored = lab.proxy(old, new, route={"mirror": {"percent": 100}})

    def raw(tidegate):
        client = lab.client(tidegate)
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return client.read_until_close()

    for _ in range(10):
        assert raw(plain) == raw(mirrored)
    settled(mirrored, 10)


@pytest.mark.parametrize("percent,expected", [(100, 200), (50, 100), (1, 2), (0, 0)])
def test_the_share_of_copies_is_exact(lab, percent, expected):
    new = lab.origin(serve(ok("new")))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, route={"mirror": {"percent": percent}})
    client = lab.client(tidegate)
    for _ in range(200):
        assert client.get("/").status == 200
    mirror = settled(tidegate, 200)
    assert abs(mirror["mirrored"] - expected) <= 1 and mirror["dropped"]["percent"] == 200 - mirror["mirrored"]
    assert len(new.requests) == mirror["mirrored"]


def test_the_share_of_copies_is_changed_at_run_time(lab):
    new = lab.origin(serve(ok("new")))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, route={"mirror": {"percent": 0}})
    client = lab.client(tidegate)
    client.get("/")
    tidegate.api.mirror(100)
    client.get("/mirrored")
    assert tidegate.cli("mirror", "all", "0").returncode == 0
    client.get("/")
    assert settled(tidegate, 3)["mirrored"] == 1 and [r.target for r in new.requests] == ["/mirrored"]


def test_only_safe_methods_are_copied_unless_it_is_said_otherwise(lab):
    new = lab.origin(serve(lambda r: ok("" if r.method == "HEAD" else "new")))
    old = lab.origin(serve(ok("")))
    tidegate = lab.proxy(old, new, route={"mirror": {"percent": 100}})
    client = lab.client(tidegate)
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        client.get("/", method=method)
    client.post(b"x")
    mirror = settled(tidegate, 5)
    assert [r.method for r in new.requests] == ["GET", "HEAD"] and mirror["dropped"]["method"] == 3


@pytest.mark.parametrize("size", [0, 1, 70000, 2 * MIB])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_arrives_at_the_mirror_as_at_the_original(lab, size, framing):
    body = (bytes(i % 251 for i in range(1024)) * (size // 1024 + 1))[:size]
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, route={"mirror": {"percent": 100, "methods": ["GET", "POST"]}})
    client = lab.client(tidegate)
    for _ in range(3):
        if framing == "length":
            assert client.post(body).text == "old"
        else:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, size, 50000):
                part = body[at:at + 50000]
                client.send(b"%x\r\n%s\r\n" % (len(part), part))
            client.send("0\r\nX-Trailer: 1\r\n\r\n")
            assert client.read_response().text == "old"
    assert settled(tidegate, 3)["mirrored"] == 3
    for copy in new.requests:
        assert copy.body == body and copy.framing == framing and copy.get("expect") is None


def test_a_copy_streams_while_the_original_streams(lab):
    seen = threading.Event()

    def script(connection):
        request = connection.read_head()
        connection.read_body(request, on_data=lambda data: seen.set())
        connection.send(ok("new"))

    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(script), route={"mirror": {"methods": ["POST"]}})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nfir")
    assert seen.wait(5), "the copy waited for the whole body"
    client.send("sts")
    assert client.read_response().text == "old"
    settled(tidegate, 1)


@pytest.mark.parametrize("host,expected", [("preserve", "shop.example:81"), ("-shadow", "shop.example-shadow:81"),
                                           ("shadow.example", "shadow.example")])
def test_the_copys_host_is_as_the_route_says(lab, host, expected):
    new = lab.origin(serve(ok("new")))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, route={"mirror": {"host": host}})
    lab.client(tidegate).get("/", host="shop.example:81")
    settled(tidegate, 1)
    assert new.requests[0].get("host") == expected


def huge(connection):
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(16384):
        connection.send(b"x" * 65536)


def slowly(connection):
    while connection.read_request():
        threading.Event().wait(0.2)
        connection.send(ok("late"))


BAD_MIRRORS = {     # script, the reasons that its copies are dropped for
    "fine": (serve(ok("new")), set()),
    "slow": (slowly, {"concurrency"}),
    "accepts and never answers": (lambda c: c.wait_for_end(60), {"timeout", "concurrency"}),
    "never reads": (lambda c: c.over.wait(60), {"timeout", "concurrency", "buffer"}),
    "answers garbage": (lambda c: (c.read_request(), c.send(b"\x00garbage\r\n\r\n" * 100)), {"protocol", "reset"}),
    "answers 503": (serve(ok("x", "503 Service Unavailable")), set()),
    "resets at once": (lambda c: c.rst(), {"reset", "connect"}),
    "resets after the request": (lambda c: (c.read_request(), c.rst()), {"reset"}),
    "closes early": (lambda c: (c.read_head(), c.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")), {"reset"}),
    "answers for ever": (huge, {"timeout", "concurrency", "reset"}),  # reset: it gives up before the timeout when it is slow
    "answers before the body": (lambda c: (c.read_head(), c.send(ok("early")), c.wait_for_end(5)), {"reset", "timeout"}),
}


@pytest.mark.parametrize("name", [*BAD_MIRRORS, "dead"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_mirror_that_misbehaves_never_touches_the_original_and_the_sum_holds(lab, name, method):
    script, reasons = BAD_MIRRORS.get(name, (None, {"connect"}))
    new = refusing_address() if name == "dead" else lab.origin(script, record=False)
    old = lab.origin(serve(lambda r: ok(str(len(r.body)))), record=False)
    tidegate = lab.proxy(old, new, route={"mirror": {"methods": ["GET", "POST"], "timeout": "500ms", "concurrency": 20}})
    clients = [lab.client(tidegate) for _ in range(4)]
    body = b"b" * 20000
    for _ in range(50):
        for client in clients:
            response = client.get("/") if method == "GET" else client.post(body)
            assert (response.status, response.text) == (200, "0" if method == "GET" else "20000")
    mirror = settled(tidegate, 200, 30)
    dropped = {reason for reason, count in mirror["dropped"].items() if count}
    assert dropped <= reasons | {"concurrency", "timeout"}, mirror      # timeout: this machine is busy
    if name in ("fine", "answers 503"):
        assert mirror["mirrored"] >= 150
    if name in ("dead", "answers garbage", "resets at once", "resets after the request", "closes early"):
        assert mirror["mirrored"] == 0
    status = tidegate.api.route()
    assert status["weight"]["effective"] == 0 and not status["latched"]
    assert status["gate"]["step"]["new"]["requests"] == 0, "copies are not the gate's"
    tidegate.api.counts(200, "http_requests_total")  # copies are not the clients'


def test_the_rate_cap_drops_with_its_reason(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))),
                         route={"mirror": {"rate": "5/s", "concurrency": 1000}})
    client = lab.client(tidegate)
    for _ in range(200):
        client.get("/")
    mirror = settled(tidegate, 200)
    assert mirror["dropped"]["rate"] >= 150 and 1 <= mirror["mirrored"] <= 50


def test_the_concurrency_cap_drops_with_its_reason(lab):
    go = threading.Event()
    new = lab.origin(lambda c: (c.read_request(), c.wait(go), c.send(ok("new"))))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, route={"mirror": {"concurrency": 3}})
    client = lab.client(tidegate)
    for _ in range(10):
        client.get("/")
    assert tidegate.api.route()["mirror"]["in_flight"] == 3
    go.set()
    mirror = settled(tidegate, 10)
    assert (mirror["mirrored"], mirror["dropped"]["concurrency"]) == (3, 7)


def test_the_buffer_cap_drops_with_its_reason_and_memory_stays_bounded(lab):
    new = lab.origin(lambda c: c.over.wait(30), record=False, receive_buffer=4096)     # accepts, never reads
    tidegate = lab.proxy(lab.origin(serve(lambda r: ok(str(r.size))), record=False), new,
                         route={"mirror": {"methods": ["POST"], "buffer": "1MiB", "timeout": "30s"}})
    before = tidegate.rss_mib()
    body = b"x" * (32 * MIB)
    clients = [lab.client(tidegate) for _ in range(4)]
    for client in clients:
        assert client.post(body).text == str(len(body))
    assert tidegate.api.route()["mirror"]["dropped"]["buffer"] == 4
    assert tidegate.rss_mib() - before < 16 * memory_slack()
    settled(tidegate, 4)


@pytest.mark.parametrize("kind", ["never answers", "blocks the handshake"])
def test_a_mirror_that_never_answers_does_not_slow_the_original(lab, kind):
    import socket
    old = lab.nginx("old")
    if kind == "never answers":
        new = lab.origin(lambda c: c.wait_for_end(60), record=False)
    else:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        lab.keep(listener)
        new = "127.0.0.1:%d" % listener.getsockname()[1]
        for _ in range(4):
            filler = lab.keep(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
    tidegate = lab.proxy(old, new, route={"mirror": {"percent": 0, "timeout": "5s"}})
    client = lab.client(tidegate)

    tidegate.api.mirror(100)
    for _ in range(500):                    # 500 times the mirror's timeout, if they waited for it
        assert client.get("/").status == 200
    mirror = tidegate.api.route()["mirror"]
    assert mirror["received"] == 500 and mirror["mirrored"] == 0
    tidegate.api.mirror(0)
    settled(tidegate, None, 20)


def test_a_client_that_leaves_within_its_body_drops_the_copy(lab):
    new = lab.origin(lambda c: (c.read_request(), c.wait_for_end()))
    tidegate = lab.proxy(lab.origin(lambda c: (c.read_request(), c.wait_for_end())), new,
                         route={"mirror": {"methods": ["POST"]}})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    eventually(lambda: new.requests, "the copy's head")
    client.rst()
    mirror = settled(tidegate, 1)
    assert mirror["dropped"]["client_abort"] == 1 and not new.requests[0].complete


def test_copies_use_connections_of_their_own(lab):
    """A mirror that hangs does not take the connections that originals of new need."""
    def script(connection):
        while request := connection.read_request():
            if request.get("x-tidegate-mirror"):
                connection.wait_for_end(30)
                return
            connection.send(ok("new"))

    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(script), weight=50,
                         new_cluster={"pool": {"connections": 4, "pending": 4}}, route={"mirror": {"timeout": "2s"}})
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(100)] == [200] * 100
    settled(tidegate, 100, 20)


def test_mirror_of_a_route_without_one_is_a_conflict_or_invalid(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))))
    answer = tidegate.api.mirror(100, expect=None)
    assert answer.status in (400, 409) and answer.json["error"]["message"]


def test_copies_that_hold_memory_never_cost_an_original_a_503(lab):
    """Here mirror.buffer is more than memory.buffers: what copies may hold of that ends long before originals are refused."""
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), never_connects(lab.keep), memory={"buffers": "2MiB"},
                         new_cluster={"timeouts": {"connect": "30s"}}, route={"mirror": {"percent": 100, "methods": ["POST"], "timeout": "30s"}})
    statuses = []
    for _ in range(60):
        client = lab.client(tidegate)
        client.try_send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
        statuses.append(client.read_response("POST").status)
        client.close()
    assert statuses == [200] * 60
    assert tidegate.api.metric("tidegate_shed_requests_total", reason="memory") == 0
    mirror = tidegate.api.route()["mirror"]
    assert mirror["in_flight"] > 0 and mirror["in_flight"] + mirror["dropped"]["buffer"] == mirror["received"] == 60


def test_copies_are_given_up_when_originals_need_the_memory_that_they_hold(lab):
    go_on = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/held":
                go_on.wait(20)
            connection.send(ok("old"))

    tidegate = lab.proxy(lab.origin(script, record=False), never_connects(lab.keep), memory={"buffers": "1MiB"},
                         cluster={"pool": {"connections": 1000}}, new_cluster={"timeouts": {"connect": "30s"}},
                         route={"mirror": {"percent": 100, "methods": ["POST"], "timeout": "30s"}})
    client = lab.client(tidegate)
    for _ in range(20):
        assert client.post(b"x" * 20_000).status == 200
    copies = tidegate.api.route()["mirror"]["in_flight"]
    assert copies > 0
    held = []
    while tidegate.api.route()["mirror"]["in_flight"] == copies:
        held.append(lab.client(tidegate).send("GET /held HTTP/1.1\r\nHost: a\r\nX-Long: " + "x" * 3000 + "\r\n\r\n"))
        assert len(held) < 400
    assert tidegate.api.metric("tidegate_shed_requests_total", reason="memory") == 0
    go_on.set()
    assert [one.read_response().status for one in held] == [200] * len(held)
    mirror = settled(tidegate)
    assert mirror["dropped"]["buffer"] == 20 and mirror["mirrored"] == 0
