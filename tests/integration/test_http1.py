"""What HTTP/1.1 promises, seen from outside: PRODUCT §3, issue 2 point 3, RFC 9110 and 9112."""
import email.utils
import hashlib
import re
import threading
import time

import pytest

from harness import Client, curl, eventually, make_config, memory_slack, ok, serve
from harness.http2 import Http2Origin
from harness.ports import free_port

pytestmark = pytest.mark.one_worker

MIB = 1024 * 1024
SOON_ENDED = {"pool": {"idle_timeout": "100ms"}}   # where the other end of a connection is a Tidegate: its own descriptors are counted


def echo(request):
    """The body back, framed as it came; what was seen of the head in fields."""
    fields = f"x-method: {request.method}\r\nx-target: {request.target}\r\nx-size: {request.size}\r\n"
    if request.framing != "chunked":
        return ok(request.body, fields=fields)
    body = b"%x\r\n%s\r\n" % (len(request.body), request.body) if request.body else b""
    return (f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{fields}\r\n".encode() + body + b"0\r\n\r\n")


@pytest.fixture(scope="module")
def echoing(shared):
    origin = shared.origin(serve(echo))
    tidegate = shared.proxy(origin)
    tidegate.origin = origin
    return tidegate


def last(tidegate):
    return tidegate.origin.requests[-1]


# --- connections

def test_a_connection_carries_many_requests(echoing):
    with Client(echoing.address) as client:
        for i in range(50):
            response = client.get(f"/{i}")
            assert (response.status, response.get("x-target"), response.complete) == (200, f"/{i}", True)
            assert response.get("connection") is None


def test_upstream_connections_are_kept_alive_and_used_again(lab):
    origin = lab.origin(serve(echo))
    tidegate = lab.proxy(origin)
    for i in range(20):
        with Client(tidegate.address) as client:
            assert client.get(f"/{i}").status == 200
    assert len(origin.connections) == 1


def test_pipelined_requests_are_answered_in_order(echoing):
    with Client(echoing.address) as client:
        requests = [f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n".encode() if i % 3 else
                    f"POST /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{i:04}".encode() for i in range(60)]
        client.send(b"".join(requests))
        for i in range(60):
            response = client.read_response()
            assert (response.status, response.get("x-target")) == (200, f"/{i}")
            assert response.body == (b"" if i % 3 else f"{i:04}".encode())


def test_a_pipelined_request_behind_a_slow_one_waits_for_its_turn(lab):
    go = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                connection.wait(go)
            connection.send(ok(request.target))

    tidegate = lab.proxy(lab.origin(script))
    client = lab.client(tidegate)
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.is_closed(0.2) is None and not client._source.buffer
    go.set()
    assert [client.read_response().text for _ in range(2)] == ["/slow", "/fast"]


def test_pipelined_chunked_requests_are_answered_in_order(echoing):
    one = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with Client(echoing.address) as client:
        client.send(one * 20)
        assert [client.read_response().body for _ in range(20)] == [b"abcde"] * 20


def test_requests_that_come_byte_by_byte_are_the_same_requests(echoing):
    data = (b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\nT: 1\r\n\r\n"
            b"GET /g HTTP/1.1\r\nHost: a\r\n\r\n")
    with Client(echoing.address) as client:
        client.send_bytewise(data)
        first, second = client.read_response(), client.read_response()
        assert (first.body, second.get("x-target")) == (b"abc", "/g")


def test_connection_close_of_the_client_is_answered_and_done(echoing):
    with Client(echoing.address) as client:
        response = client.get("/", fields="Connection: close\r\n")
        assert response.status == 200 and response.get("connection") == "close"
        assert client.is_closed() == "fin"
    assert "close" not in (last(echoing).get("connection") or "")


def test_connection_close_of_the_upstream_does_not_close_the_client(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.send(ok("x", fields="Connection: close\r\n"))))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    for _ in range(5):
        response = client.get("/")
        assert (response.text, response.get("connection")) == ("x", None)
    assert len(origin.connections) == 5


# --- bodies

@pytest.mark.parametrize("size", [0, 1, 1023, 65536, 65537, MIB])
def test_a_counted_body_arrives_as_it_was_both_ways(echoing, size):
    body = bytes(i % 251 for i in range(1024)) * (size // 1024 + 1)
    body = body[:size]
    with Client(echoing.address) as client:
        response = client.post(body, "/len")
        assert response.complete and response.body == body and response.get("content-length") == str(size)
    assert last(echoing).framing == "length" and last(echoing).body == body


@pytest.mark.parametrize("size", [0, 1, 1023, 65536, 65537, MIB])
@pytest.mark.parametrize("chunk", [1, 1000, 70000])
def test_a_chunked_body_arrives_as_it_was_both_ways(echoing, size, chunk):
    if chunk == 1 and size > 1023:
        chunk = 777
    body = (bytes(i % 251 for i in range(1024)) * (size // 1024 + 1))[:size]
    chunks = b"".join(b"%X\r\n%s\r\n" % (len(part), part)
                      for part in (body[i:i + chunk] for i in range(0, size, chunk)))
    with Client(echoing.address) as client:
        client.send(b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        response = client.read_response()
        assert response.complete and response.body == body
        assert response.get("transfer-encoding") == "chunked"
    assert last(echoing).framing == "chunked" and last(echoing).body == body


def test_get_and_delete_with_a_body_keep_it(echoing):
    with Client(echoing.address) as client:
        for method in ("GET", "DELETE", "OPTIONS"):
            response = client.post(b"body", method=method)
            assert (response.body, response.get("x-method")) == (b"body", method)


def test_a_post_without_a_body_has_content_length_0_upstream(echoing):
    with Client(echoing.address) as client:
        assert client.post(b"").status == 200
    assert last(echoing).get("content-length") == "0"
    with Client(echoing.address) as client:
        assert client.get("/").status == 200
    assert last(echoing).get("content-length") is None and last(echoing).get("transfer-encoding") is None


@pytest.mark.deadline(90)
def test_64_mib_stream_down_and_up_in_bounded_memory(lab):
    received = hashlib.sha256()
    block = bytes(range(256)) * 256                # 64 KiB
    expected = hashlib.sha256(block * 1024).hexdigest()

    def script(connection):
        while request := connection.read_head():
            connection.read_body(request, keep=False, on_data=received.update)
            if request.target == "/up":
                connection.send(ok(str(request.size)))
                continue
            connection.send("HTTP/1.1 200 OK\r\n" + ("Transfer-Encoding: chunked\r\n\r\n" if request.target == "/chunked"
                                                     else "Content-Length: 67108864\r\n\r\n"))
            for _ in range(1024):
                connection.send(b"10000\r\n" + block + b"\r\n" if request.target == "/chunked" else block)
            if request.target == "/chunked":
                connection.send("0\r\n\r\n")

    tidegate = lab.proxy(lab.origin(script, record=False))
    client = lab.client(tidegate, timeout=60)
    before = tidegate.rss_mib()
    for target in ("/length", "/chunked"):
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
        response = client.read_response(keep_body=False)
        assert (response.complete, response.size, response.sha256) == (True, 64 * MIB, expected)
    client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n")
    for _ in range(1024):
        client.send(block)
    assert client.read_response().text == str(64 * MIB) and received.hexdigest() == expected
    client.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(1024):
        client.send(b"10000\r\n" + block + b"\r\n")
    client.send("0\r\n\r\n")
    assert client.read_response().text == str(64 * MIB)
    assert tidegate.rss_mib() - before < 16 * memory_slack(), f"{before} MiB before, {tidegate.rss_mib()} MiB after"


def test_real_nginx_sends_64_mib_through(lab):
    tidegate = lab.proxy(lab.nginx("old"))
    client = lab.client(tidegate, timeout=40)
    client.send(f"GET /size/{64 * MIB} HTTP/1.1\r\nHost: a\r\n\r\n")
    response = client.read_response(keep_body=False)
    assert (response.status, response.complete, response.size) == (200, True, 64 * MIB)
    upload = client.post(b"u" * MIB, "/upload")
    assert upload.text == str(MIB)


def test_a_response_streams_while_it_is_made(lab):
    go = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        connection.wait(go)
        connection.send("6\r\nsecond\r\n0\r\n\r\n")

    tidegate = lab.proxy(lab.origin(script))
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"first" in eventually(lambda: client._source.buffer if b"first" in client._source.buffer
                                  else client._source._pull(), "the first chunk")
    go.set()
    assert client.read_response().text == "firstsecond"


def test_a_request_streams_while_it_is_made(lab):
    seen = threading.Event()

    def script(connection):
        request = connection.read_head()
        connection.read_body(request, on_data=lambda data: seen.set())
        connection.send(ok("done"))

    tidegate = lab.proxy(lab.origin(script))
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst")
    assert seen.wait(5), "the first half was held back"
    client.send("other")
    assert client.read_response().text == "done"


def test_a_body_that_ends_with_the_connection_reaches_a_1_1_client_in_chunks(lab):
    tidegate = lab.proxy(lab.origin(lambda c: (c.read_request(), c.send("HTTP/1.1 200 OK\r\n\r\nuntil the end"))))
    client = lab.client(tidegate)
    for _ in range(2):
        response = client.get("/")
        assert response.get("transfer-encoding") == "chunked" and response.text == "until the end" and response.complete


def test_an_http_1_0_origin_is_served_to_a_1_1_client(lab):
    tidegate = lab.proxy(lab.origin(lambda c: (c.read_request(), c.send("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold"))))
    client = lab.client(tidegate)
    for _ in range(2):
        response = client.get("/")
        assert (response.version, response.text) == ("HTTP/1.1", "old")


# --- trailers

def test_trailers_of_a_request_arrive_and_stay_apart_from_the_head(echoing):
    with Client(echoing.address) as client:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                    "3\r\nabc\r\n0\r\nX-Sum: 42\r\nx-more:  yes \r\n\r\n")
        assert client.read_response().status == 200
    assert last(echoing).trailers == [("x-sum", "42"), ("x-more", "yes")]
    assert last(echoing).get("x-sum") is None


def test_trailers_of_a_response_arrive(lab):
    tidegate = lab.proxy(lab.origin(serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
                                          b"3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")))
    client = lab.client(tidegate)
    for _ in range(2):
        response = client.get("/", fields="TE: trailers\r\n")
        assert (response.text, response.trailers) == ("abc", [("x-sum", "7")])


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Connection", "Authorization",
                                  "X-Forwarded-For", "x-tidegate-mirror", "x-request-id"])
def test_a_trailer_that_would_change_the_meaning_of_the_head_is_not_passed_on(echoing, name):
    before = len(echoing.origin.requests)
    with Client(echoing.address) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{name}: 5\r\n\r\n")
        assert client.read_response().status in (200, 400)
    for request in echoing.origin.requests[before:]:
        assert name.lower() not in [key for key, _ in request.trailers]


def test_te_trailers_is_passed_on_and_other_te_is_not(echoing):
    with Client(echoing.address) as client:
        client.get("/", fields="TE: trailers, deflate;q=0.5\r\nConnection: TE\r\n")
        assert last(echoing).get("te") == "trailers"
        client.get("/", fields="TE: deflate\r\nConnection: te\r\n")
        assert last(echoing).get("te") is None


# --- responses without a body

def test_head_has_the_fields_of_get_and_no_body(lab):
    def answer(request):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nx-a: b\r\n\r\n"
        return head if request.method == "HEAD" else head + b"body"

    tidegate = lab.proxy(lab.origin(serve(answer)))
    client = lab.client(tidegate)
    for _ in range(3):
        head = client.get("/", method="HEAD")
        assert head.get("content-length") == "4" and head.get("x-a") == "b"
        assert client.get("/").text == "body"


@pytest.mark.parametrize("status,fields,expected", [
    ("204 No Content", "", None), ("304 Not Modified", "ETag: \"a\"\r\n", None),
    ("304 Not Modified", "Content-Length: 1234\r\n", "1234"), ("204 No Content", "Content-Length: 5\r\n", None),
    ("304 Not Modified", "Transfer-Encoding: chunked\r\n", None)])
def test_204_and_304_have_no_body_whatever_the_fields_say(lab, status, fields, expected):
    tidegate = lab.proxy(lab.origin(serve(f"HTTP/1.1 {status}\r\n{fields}\r\n".encode())))
    client = lab.client(tidegate)
    for _ in range(3):
        response = client.get("/")
        assert str(response.status) == status[:3] and response.get("content-length") == expected
        assert response.get("transfer-encoding") is None


def test_a_205_has_length_0(lab):
    tidegate = lab.proxy(lab.origin(serve(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")))
    client = lab.client(tidegate)
    for _ in range(2):
        assert client.get("/").get("content-length") == "0"


# --- 1xx and Expect

def test_103_early_hints_are_relayed_before_the_final_response(lab):
    tidegate = lab.proxy(lab.origin(serve(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-drop\r\nx-drop: 1\r\n\r\n"
                                          b"HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\n" + ok("final"))))
    client = lab.client(tidegate)
    for _ in range(2):
        response = client.get("/")
        assert response.text == "final"
        assert [(s, dict(f)) for s, f in response.informational] == [(103, {"link": "</a.css>"}), (103, {"link": "</b.css>"})]


def test_informational_responses_are_not_sent_to_an_http_1_0_client(lab):
    tidegate = lab.proxy(lab.origin(serve(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("final"))))
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    response = client.read_response()
    assert response.text == "final" and response.informational == []


@pytest.mark.parametrize("answer", [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                                    b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + ok("late")])
def test_an_unasked_101_and_endless_1xx_are_502(lab, answer):
    tidegate = lab.proxy(lab.origin(serve(answer)), route={"retry": {"retries": 0}})
    assert lab.client(tidegate).get("/").status == 502


def test_expect_100_continue_is_answered_by_the_origin(lab):
    order = []

    def script(connection):
        while request := connection.read_head():
            order.append(request.get("expect"))
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
            connection.send(ok(request.body))

    tidegate = lab.proxy(lab.origin(script))
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert client.read_informational()[0] == 100
    client.send("body")
    assert client.read_response().text == "body" and order == ["100-continue"]


def test_curl_uploads_with_expect_100_continue(lab):
    def script(connection):
        while request := connection.read_head():
            if request.get("expect"):
                connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
            connection.send(ok(f"{len(request.body)}"))

    tidegate = lab.proxy(lab.origin(script))
    result = curl("-H", "Expect: 100-continue", "--expect100-timeout", "10", "--data-binary", "@-", tidegate.url("/up"),
                  stdin=b"z" * MIB)
    assert (result.status, result.body) == (200, str(MIB).encode()), result.trace
    assert "HTTP/1.1 100" in result.trace and result.seconds < 8


def test_an_early_final_answer_to_expect_reaches_the_client_and_the_body_is_never_asked_for(lab):
    origin = lab.origin(lambda c: (c.read_head(), c.send(ok("no", "417 Expectation Failed")), c.wait_for_end()))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
    response = client.read_response()
    assert (response.status, response.text, response.informational) == (417, "no", [])
    assert response.get("connection") == "close" and client.is_closed()


def test_an_early_answer_while_the_client_still_sends_reaches_it(lab):
    def script(connection):
        connection.read_head()
        connection.send(ok("too big", "413 Content Too Large", "Connection: close\r\n"))
        connection.wait_for_end()

    tidegate = lab.proxy(lab.origin(script))
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    client.send(b"x" * 100000)
    response = client.read_response()
    assert (response.status, response.text, response.complete) == (413, "too big", True)
    assert client.is_closed() is not None


def test_curl_gets_the_early_answer_of_a_large_upload(lab):
    def script(connection):
        connection.read_head()
        connection.send(ok("too big", "413 Content Too Large", "Connection: close\r\n"))
        connection.fin()
        connection.wait_for_end(3)

    tidegate = lab.proxy(lab.origin(script))
    result = curl("-H", "Expect:", "--data-binary", "@-", tidegate.url("/"), stdin=b"z" * (4 * MIB))
    assert result.status == 413, result.trace


def test_an_unknown_expectation_is_417(echoing):
    with Client(echoing.address) as client:
        assert client.get("/", fields="Expect: miracles\r\n").status == 417


# --- request targets and old clients

def test_absolute_form_wins_over_host_and_is_sent_in_origin_form(echoing):
    with Client(echoing.address) as client:
        assert client.get("http://Real.example:8080/path?q=1", host="other.example").status == 200
        assert (last(echoing).target, last(echoing).get("host")) == ("/path?q=1", "Real.example:8080")
        assert client.get("http://real.example", host="other.example").get("x-target") == "/"


def test_options_asterisk_is_passed_on(echoing):
    with Client(echoing.address) as client:
        assert client.get("*", method="OPTIONS").get("x-target") == "*"


def test_the_target_is_passed_on_as_it_came(echoing):
    with Client(echoing.address) as client:
        for target in ("/a%20b?x=%2F&y=a+b", "/a//b%2fc", "/%7Ea/%zz", "/?", "/%e4%BD%a0", "/;p=1?q=[1]" ):
            response = client.get(target)
            assert (response.status, response.get("x-target")) == (200, target)


def test_dot_segments_are_refused_unless_told_otherwise(echoing, lab):
    with Client(echoing.address) as client:
        for target in ("/a/../b", "/a/./b", "/a/%2E%2e/b", "/a/..%2fb", "/a/..;/b"):
            response = client.get(target)
            assert (response.status, response.text) == (400, "dot segment in the path\n")
        assert client.get("/a?x=/../b").status == 200  # the connection goes on
    keeps = lab.proxy(lab.origin(serve(echo)), listener={"path": {"dot_segments": "keep"}})
    assert lab.client(keeps).get("/a/%2e%2E/./b").get("x-target") == "/a/%2e%2E/./b"


def test_the_path_that_is_routed_is_the_path_that_is_forwarded(lab):
    """With the settings of an edge: no way of writing /admin gets past the route for it, over HTTP/1.1 and over HTTP/2."""
    shop, admin = lab.origin(serve(echo)), lab.origin(serve(echo))
    edge = {"dot_segments": "remove", "merge_slashes": True, "escaped_slashes": "decode", "unreserved": "decode"}
    config = make_config(shop, admin, listener={"h2c": True, "path": edge},
                         log={"access": {"path": str(lab.directory / "access.log")}})
    config["routes"] = [{"name": "admin", "match": {"path": {"prefix": "/admin"}}, "weight": 100, "mirror": {}},
                        {"name": "shop", "weight": 0}]
    tidegate = lab.tidegate(config)
    ways = ["/admin/x", "//admin//x", "/%61dmin/x", "/./admin/x", "/shop/../admin/x", "/shop%2f..%2Fadmin/x", "/%2Fadmin%2fx",
            "http://a/shop/%2e%2e/admin/x"]
    asking = lab.http2_client(tidegate)
    with Client(tidegate.address) as client:
        for way in ways:
            for query in ("", "?next=/../%61//"):
                assert client.get(way + query).get("x-target") == "/admin/x" + query
        for way in ways[:-1]:
            assert asking.get(way + "?a=%7e").headers["x-target"] == "/admin/x?a=%7e"
        assert client.get("/../admin").status == 400 and client.get("/shop/%zz").status == 400
    assert not shop.requests
    assert tidegate.api.get("/api/v1/config").json["listeners"][0]["path"] == edge
    eventually(lambda: (lab.directory / "access.log").read_text().count('"path":"/admin/x') == 3 * len(ways) - 1)


def test_an_http_1_0_client_gets_one_answer_and_the_end(echoing):
    with Client(echoing.address) as client:
        client.send("GET /old HTTP/1.0\r\nHost: a\r\n\r\n")
        response = client.read_response()
        assert response.get("x-target") == "/old" and response.get("transfer-encoding") is None
        assert client.is_closed() == "fin"
    assert last(echoing).version == "HTTP/1.1"


def test_an_http_1_0_client_may_ask_for_keep_alive(echoing):
    with Client(echoing.address) as client:
        for i in range(5):
            client.send(f"GET /{i} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            response = client.read_response()
            assert response.get("x-target") == f"/{i}" and response.get("connection").lower() == "keep-alive"


def test_an_http_1_0_client_without_host_is_served(echoing):
    with Client(echoing.address) as client:
        client.send("GET /nohost HTTP/1.0\r\n\r\n")
        assert client.read_response().status == 200
    assert len(last(echoing).all("host")) == 1 and last(echoing).get("host")


def test_a_chunked_response_reaches_an_http_1_0_client_plain_until_the_end(lab):
    tidegate = lab.proxy(lab.origin(serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nT: 1\r\n\r\n")))
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    response = client.read_response()
    assert (response.body, response.get("transfer-encoding"), response.get("connection")) == (b"abcdef", None, "close")
    assert client.ended == "fin"


def test_two_empty_lines_before_a_request_are_ignored(echoing):
    with Client(echoing.address) as client:
        client.send("\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_response().get("x-target") == "/after"


# --- fields

def test_hop_by_hop_fields_of_a_request_stay_on_their_hop(echoing):
    with Client(echoing.address) as client:
        client.get("/", fields="Connection: keep-alive, X-Private, close-not\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
                               "Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nClose-Not: 1\r\n"
                               "X-Public: 1\r\nProxy-Authorization: b\r\n")
    seen = last(echoing)
    for name in ("connection", "x-private", "keep-alive", "proxy-connection", "upgrade", "close-not"):
        assert seen.get(name) is None, name
    assert seen.get("x-public") == "1"


def test_hop_by_hop_fields_of_a_response_stay_on_their_hop(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x", fields="Connection: x-private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
                                                         "Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Public: 1\r\n"))))
    response = lab.client(tidegate).get("/")
    for name in ("connection", "x-private", "keep-alive", "proxy-connection", "upgrade"):
        assert response.get(name) is None, name
    assert response.get("x-public") == "1"


@pytest.mark.parametrize("name", ["Host", "Content-Length", "X-Forwarded-For", "X-Request-Id", "Traceparent"])
def test_a_field_that_tidegate_needs_cannot_be_nominated_away(echoing, name):
    with Client(echoing.address) as client:
        response = client.post(b"abc", fields=f"Connection: {name}\r\n")
        assert response.status in (200, 400)
        if response.status == 200:
            assert len(last(echoing).all(name)) == 1 and last(echoing).body == b"abc"


def test_fields_keep_their_order_their_repetitions_and_their_bytes(lab):
    fields = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Z: \xe4 tab\there\r\nX-Empty:\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
    origin = lab.origin(serve(ok("x", fields=fields)))
    tidegate = lab.proxy(origin)
    response = lab.client(tidegate).get("/", fields="Cookie: a\r\nAccept: x\r\nCookie: b\r\nX-Hi: \xff\xfe\r\nX-Empty: \r\n")
    assert response.all("set-cookie") == ["a=1", "b=2"]
    assert response.get("x-z") == "\xe4 tab\there" and response.get("x-empty") == ""
    seen = origin.requests[0]
    assert seen.all("cookie") == ["a", "b"] and seen.get("x-hi") == "\xff\xfe" and seen.get("x-empty") == ""


def test_no_via_and_no_server_are_added(lab):
    origin = lab.origin(serve(ok("x")))
    response = lab.client(lab.proxy(origin)).get("/")
    assert origin.requests[0].get("via") is None and response.get("via") is None and response.get("server") is None


def test_x_forwarded_fields_are_set_and_a_strangers_are_not_believed(echoing):
    with Client(echoing.address) as client:
        client.get("/", host="shop.example", fields="X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
                                                    "X-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\n")
    seen = last(echoing)
    assert seen.get("x-forwarded-for") == "127.0.0.1" and seen.get("x-forwarded-proto") == "http"
    assert seen.get("x-forwarded-host") == "shop.example" and seen.get("forwarded") is None


def test_x_forwarded_fields_of_a_trusted_proxy_are_extended(lab):
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, trusted_proxies=["127.0.0.0/8"])
    lab.client(tidegate).get("/", fields="X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n")
    seen = origin.requests[0]
    assert seen.get("x-forwarded-for") == "1.2.3.4, 127.0.0.1"
    assert (seen.get("x-forwarded-proto"), seen.get("x-forwarded-host")) == ("https", "h")


def test_an_x_request_id_is_made_when_there_is_none_and_passed_on_when_there_is_one(echoing):
    with Client(echoing.address) as client:
        made = set()
        for _ in range(20):
            client.get("/")
            made.add(last(echoing).get("x-request-id"))
        assert len(made) == 20 and all(re.fullmatch(r"[0-9a-f-]{32,36}", one) for one in made)
        client.get("/", fields="X-Request-Id: my-own-1\r\n")
        assert last(echoing).get("x-request-id") == "my-own-1"
        client.get("/", fields="X-Request-Id: not one\r\n")
        assert last(echoing).get("x-request-id") != "not one"


def test_a_traceparent_is_made_when_there_is_none_and_passed_on_when_there_is_one(echoing):
    own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with Client(echoing.address) as client:
        client.get("/")
        first = last(echoing).get("traceparent")
        client.get("/")
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", first) and last(echoing).get("traceparent") != first
        client.get("/", fields=f"traceparent: {own}\r\ntracestate: a=b\r\n")
        assert last(echoing).get("traceparent") == own and last(echoing).get("tracestate") == "a=b"
        client.get("/", fields="traceparent: 00-zz\r\ntracestate: a=b\r\n")
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", last(echoing).get("traceparent"))


def test_x_tidegate_fields_of_clients_are_removed(echoing):
    with Client(echoing.address) as client:
        client.get("/", fields="x-tidegate-mirror: 1\r\nX-Tidegate-Side: new\r\nX-TIDEGATE-anything: 1\r\n")
    assert [name for name in last(echoing).names() if name.startswith("x-tidegate")] == ["x-tidegate-hop"]
    assert last(echoing).get("x-tidegate-hop") == "1"


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_a_request_that_goes_round_in_a_loop_is_refused_after_8_hops(lab, protocol):
    """The endpoint is the listener itself."""
    address = f"127.0.0.1:{free_port()}"
    tidegate = lab.proxy(address, listener={"address": address, "h2c": True}, cluster={"protocol": protocol, **SOON_ENDED},
                         route={"retry": {"retries": 0}})
    began = time.monotonic()
    response = lab.client(tidegate).get("/")
    assert response.status == 508 and time.monotonic() - began < 5
    tidegate.api.counts(9, "http_requests_total", status="508")
    tidegate.api.counts(0, "tidegate_http_requests_in_flight")


def test_chains_of_proxies_pass_on_how_long_they_are(lab):
    origin = lab.origin(serve(ok("x")))
    inner = lab.proxy(origin)
    assert lab.client(lab.proxy(inner, cluster=SOON_ENDED)).get("/").status == 200
    assert origin.requests[0].get("x-tidegate-hop") == "2"


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_Client_Cert", "X_Tidegate_Mirror", "X_Real-IP", "X-Request_Id",
                                  "Content_Length", "Transfer_Encoding"])
@pytest.mark.parametrize("trusted", [False, True], ids=["stranger", "trusted"])
@pytest.mark.parametrize("over", ["http1", "http2"])
def test_a_name_with_an_underscore_does_not_pass_beside_the_one_that_servers_take_it_for(lab, name, trusted, over):
    """CGI has one variable for both. A proxy that is trusted passes on what its clients wrote."""
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, listener={"h2c": True}, **({"trusted_proxies": ["127.0.0.0/8"]} if trusted else {}))
    if over == "http1":
        assert lab.client(tidegate).get("/", fields=f"{name}: 6\r\nx_other: 1\r\n").status == 200
    else:
        assert lab.http2_client(tidegate).get("/", headers=[(name.lower(), "6"), ("x_other", "1")]).status == 200
    assert [(request.get(name), request.get("x_other")) for request in origin.requests] == [(None, "1")]


@pytest.mark.parametrize("over", ["http1", "http2"])
@pytest.mark.parametrize("wanted, status, seen", [("keep", 200, [("1", "2")]), ("drop", 200, [(None, "2")]), ("reject", 400, [])])
def test_names_with_underscores_are_kept_dropped_or_rejected_as_the_listener_says(lab, over, wanted, status, seen):
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, listener={"h2c": True, "header_underscores": wanted})
    if over == "http1":
        assert lab.client(tidegate).get("/", fields="X_Other: 1\r\nX-Other: 2\r\n").status == status
    else:
        assert lab.http2_client(tidegate).get("/", headers=[("x_other", "1"), ("x-other", "2")]).status == status
    assert [(request.get("x_other"), request.get("x-other")) for request in origin.requests] == seen


def test_header_edits_set_and_remove(lab):
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, route={"request_headers": {"set": {"x-env": "blue", "User-Agent": "tide"}, "remove": ["x-debug", "Cookie"]}})
    lab.client(tidegate).get("/", fields="X-Debug: 1\r\nx_debug: 2\r\nUser-Agent: curl\r\nX-Env: red\r\nx_env: pink\r\nCookie: a\r\ncookie: b\r\n")
    seen = origin.requests[0]
    assert (seen.get("x-env"), seen.get("user-agent")) == ("blue", "tide")
    assert seen.get("x-debug") is None and seen.all("cookie") == []
    assert seen.get("x_debug") is None and seen.get("x_env") is None, "servers may take them for the names with a dash"


def test_a_literal_host_is_sent_where_the_cluster_says_so(lab):
    origin = lab.origin(serve(ok("x")))
    lab.client(lab.proxy(origin, cluster={"host": "inner.example:81"})).get("/", host="outer.example")
    assert origin.requests[0].get("host") == "inner.example:81"
    assert origin.requests[0].get("x-forwarded-host") == "outer.example"


# --- routes

@pytest.fixture(scope="module")
def routed(shared):
    names = ["exact", "prefix", "host", "wild", "method", "header"]
    origins = {name: shared.origin(serve(ok(name))) for name in names}
    matches = {
        "exact": {"path": {"exact": "/login"}},
        "prefix": {"path": {"prefix": "/api"}},
        "host": {"hosts": ["api.example.com"]},
        "wild": {"hosts": ["*.example.org"]},
        "method": {"methods": ["PUT", "PATCH"]},
        "header": {"headers": {"x-tenant": {"exact": "a"}, "accept": {"prefix": "application/"}, "x-beta": {"present": True}}},
    }
    config = make_config("127.0.0.1:9")
    config["clusters"] = {name: {"endpoints": [origin.address]} for name, origin in origins.items()}
    config["routes"] = [{"name": name, "match": matches[name], "old": name, "new": name} for name in names]
    return shared.tidegate(config)


@pytest.mark.parametrize("line,fields,expected", [
    ("GET /login", "", "exact"), ("GET /login?x=1", "", "exact"), ("GET /login/", "", None), ("GET /Login", "", None),
    ("GET /api", "", "prefix"), ("GET /api/v1?q", "", "prefix"), ("GET /apis", "", None), ("GET /api?x", "", "prefix"),
    ("GET /", "Host: api.example.com", "host"), ("GET /", "Host: API.Example.COM:8080", "host"),
    ("GET /", "Host: www.api.example.com", None), ("GET /", "Host: a.b.example.org", "wild"),
    ("GET /", "Host: example.org", None), ("GET http://x.example.org/", "Host: nothing", "wild"),
    ("PUT /", "", "method"), ("PATCH /", "", "method"), ("put /", "", None),
    ("GET /", "x-tenant: a\r\nAccept: application/json\r\nX-Beta: ", "header"),
    ("GET /", "x-tenant: ab\r\nAccept: application/json\r\nX-Beta: 1", None),
    ("GET /", "x-tenant: a\r\nAccept: application/json", None), ("GET /nothing", "", None)])
def test_the_first_route_that_matches_takes_the_request_and_none_is_404(routed, line, fields, expected):
    with Client(routed.address) as client:
        host = "" if "Host:" in fields else "Host: none.test\r\n"
        client.send(f"{line} HTTP/1.1\r\n{host}{fields}{chr(13) + chr(10) if fields else ''}\r\n")
        response = client.read_response()
        if expected is None:
            assert response.status == 404 and response.text.strip()
        else:
            assert (response.status, response.text) == (200, expected)
        client.send("GET /login HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_response().text == "exact"  # the connection lives on


def test_a_request_with_a_body_that_no_route_matches_does_not_spoil_the_connection(routed):
    with Client(routed.address) as client:
        response = client.post(b"GET /login HTTP/1.1\r\nHost: a\r\n\r\n", "/nothing")
        assert response.status == 404
        if client.is_closed(1) is None:
            assert client.get("/login").text == "exact"


# --- what a route says about fields

@pytest.mark.parametrize("name", ["x-forwarded-proto", "x-forwarded-for", "x-forwarded-host", "x-request-id", "traceparent"])
def test_a_field_that_a_route_sets_is_the_only_one_of_its_name(lab, name):
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, route={"request_headers": {"set": {name: "ours"}}})
    assert lab.client(tidegate).get("/", fields=f"{name}: theirs\r\n").status == 200
    assert origin.requests[0].all(name) == ["ours"]


def test_a_field_that_a_route_removes_is_not_there_though_tidegate_would_write_it(lab):
    origin = lab.origin(serve(ok("x")))
    names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "traceparent"]
    tidegate = lab.proxy(origin, route={"request_headers": {"remove": names}})
    assert lab.client(tidegate).get("/", fields="x-forwarded-proto: theirs\r\n").status == 200
    assert [name for name in names if origin.requests[0].all(name)] == []
    assert origin.requests[0].get("x-tidegate-hop") == "1"


@pytest.mark.parametrize("up", ["http1", "http2"])
@pytest.mark.parametrize("listener", [{}, {"h2c": True}], ids=["http1", "http2"])
def test_a_field_that_a_route_sets_or_removes_does_not_come_as_a_trailer_either(lab, listener, up):
    origin = lab.origin(serve(ok("x"))) if up == "http1" else lab.keep(Http2Origin(lambda request: (200, [], b"x", None)))
    tidegate = lab.proxy(origin, listener=listener, cluster={"protocol": up},
                         route={"request_headers": {"set": {"x-user": "ours"}, "remove": ["x-internal"]}})
    trailers = [("x-user", "theirs"), ("x-internal", "1"), ("x-checksum", "2")]
    if listener:
        client = lab.http2_client(tidegate)
        assert client.finish(client.start("/", method="POST", body=b"body", trailers=trailers)).status == 200
    else:
        assert lab.client(tidegate).post(b"body", trailers=trailers).status == 200
    assert dict(origin.requests[0].trailers) == {"x-checksum": "2"}


def test_an_escaped_nul_in_the_path_is_refused(lab):
    """It ends the path for a server that decodes it into a C string: /a%00.png is /a there."""
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, listener={"path": {"dot_segments": "keep"}})
    client = lab.client(tidegate)
    assert client.get("/a%00.png").status == 400 and len(origin.requests) == 0
    assert client.get("/a?b=%00").status == 200 and origin.requests[0].target == "/a?b=%00"


# --- Date

def test_an_answer_without_a_date_gets_one_and_others_keep_theirs(lab):
    """RFC 9110 §6.6.1: MUST, of a recipient with a clock that forwards it."""
    dated = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n"
    tidegate = lab.proxy(lab.origin(serve(lambda request: dated if request.target == "/dated" else ok("x"))), listener={"h2c": True})
    client = lab.client(tidegate)
    before = time.time()
    made = client.get("/").get("date")
    assert made.endswith(" GMT") and before - 2 <= email.utils.parsedate_to_datetime(made).timestamp() <= time.time() + 1
    client.send("GET /dated HTTP/1.1\r\nHost: a\r\n\r\n")
    assert "date" not in dict(client.read_informational()[1])
    assert client.read_response().all("date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]
    assert lab.http2_client(tidegate).get("/").headers["date"].endswith(" GMT")
    client.send("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.read_response().get("date").endswith(" GMT"), "Tidegate's own have one, too"


# --- ends

@pytest.mark.parametrize("why", ["requests", "drain"])
def test_an_answer_that_ends_the_connection_arrives_though_more_was_pipelined(lab, why):
    """RFC 9112 §9.6: the connection is closed in stages, or a reset for what is unread takes the answer with it."""
    origin = lab.origin(serve(ok("x" * 1000)))
    tidegate = lab.proxy(origin, listener={"limits": {"requests_per_connection": 1}} if why == "requests" else None, drain={"delay": "5s"})
    client = lab.client(tidegate)
    request = "GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 2000 + "\r\n\r\n"
    if why == "drain":
        assert client.get("/").status == 200
        tidegate.signal(15)
        eventually(lambda: tidegate.api.get("/readyz").status == 503, "the drain")
    client.send(request * 60)
    response = client.read_response()
    assert response.complete and response.get("connection") == "close"
    assert client.is_closed() == "fin"
    client.close()
    assert why == "requests" or tidegate.wait(20) == 0


def test_a_connection_that_says_nothing_is_ended_after_its_idle_time_also_where_http2_might_come(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listeners=[
        {"name": "both", "address": "127.0.0.1:0", "h2c": True, "timeouts": {"idle": "1s"}},
        {"name": "plain", "address": "127.0.0.1:0", "timeouts": {"idle": "1600ms"}}])
    both, plain = lab.client(tidegate.names["both"]), lab.client(tidegate.names["plain"])
    eventually(lambda: both.has_answer() or plain.has_answer(), "the end of one of them")
    assert both.has_answer() and both.is_closed() == "fin"
