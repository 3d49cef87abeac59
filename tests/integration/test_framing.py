"""The smuggling checklist of RELIABILITY.md from outside: what is ambiguous is refused, the connection is closed,
and the origin sees nothing of it and nothing of what followed. What breaks off is never passed off as complete."""
import threading

import pytest

from harness import Client, eventually, ok, serve

pytestmark = pytest.mark.one_worker

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def guarded(shared):
    """A Tidegate before an origin that records everything."""
    origin = shared.origin(serve(lambda request: ok(request.target)))
    tidegate = shared.proxy(origin)
    tidegate.origin = origin
    return tidegate


def refused(tidegate, data, statuses, how=None):
    """The bytes get one answer among the statuses, the connection is closed, and the origin saw nothing of it."""
    origin = tidegate.origin
    before, requests = origin.bytes_received(), len(origin.requests)
    with Client(tidegate.address) as client:
        if how == "bytewise":
            for i in range(len(data)):
                if not client.try_send(data[i:i + 1]):
                    break
        else:
            client.try_send(data)
        response = client.read_response()
        assert response.status in statuses, response
        assert response.get("connection") == "close" and response.complete
        assert client.read_until_close() == b"", "something came after the refusal"
    assert origin.bytes_received() == before, origin.connections[-1].received[-500:]
    with Client(tidegate.address) as client:    # and the next client is served as ever
        assert client.get("/sentinel").text == "/sentinel"
    assert [r.target for r in origin.requests[requests:]] == ["/sentinel"]


def head(fields, line="POST / HTTP/1.1", host="Host: a\r\n"):
    return f"{line}\r\n{host}{fields}\r\n".encode("latin1")


CHUNKED_BODY = b"5\r\nabcde\r\n0\r\n\r\n"
B400, B400_501 = (400,), (400, 501)

HEADS = {
    "F1 length and chunked": (head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + CHUNKED_BODY, B400),
    "F1 chunked and length": (head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + CHUNKED_BODY, B400),
    "F1 length 0 and chunked": (head("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n") + CHUNKED_BODY, B400),
    "F2 two lengths": (head("Content-Length: 5\r\nContent-Length: 6\r\n") + b"abcdef", B400),
    "F2 a list of lengths": (head("Content-Length: 5, 6\r\n") + b"abcdef", B400),
    "F3 the same length twice": (head("Content-Length: 5\r\nContent-Length: 5\r\n") + b"abcde", B400),
    "F3 a list of the same": (head("Content-Length: 5, 5\r\n") + b"abcde", B400),
    **{f"F4 length {value!r}": (head(f"Content-Length: {value}\r\n") + b"abcde", B400)
       for value in ("", "+5", "-5", "0x5", "5_0", "5 6", "5;", "5.0", "\t5 5", "9223372036854775808",
                     "18446744073709551621", "99999999999999999999999999", "five", "'5'")},
    **{f"F5 coding {value!r}": (head(f"Transfer-Encoding: {value}\r\n") + CHUNKED_BODY, B400_501)
       for value in ("gzip", "chunked, gzip", "identity", "xchunked", '"chunked"', "", "chunkedx", "\x0bchunked",
                     "gzip, chunked", "identity, chunked", "chunked identity")},
    **{f"F6 coding {value!r}": (head(f"Transfer-Encoding: {value}\r\n") + CHUNKED_BODY, B400)
       for value in ("chunked, chunked", ",chunked", "chunked,", "chunked;q=1", "chunked\r\nTransfer-Encoding: chunked",
                     "gzip\r\nTransfer-Encoding: chunked", "chunked\r\nTransfer-Encoding: identity")},
    "F7 chunked in 1.0": (head("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0") + CHUNKED_BODY, B400),
    "F11 LF after the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", B400),
    "F11 LF after a field": (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", B400),
    "F11 LF for the empty line": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", B400),
    "F11 LF everywhere": (b"GET / HTTP/1.1\nHost: a\n\n", B400),
    **{f"F12 value with {value!r}": (head(f"X: {value}\r\n", "GET / HTTP/1.1"), B400)
       for value in ("a\rb", "a\0b", "a\x01b", "a\x1bb", "a\x7fb", "\r", "\rContent-Length: 5")},
    "F13 space before the colon": (head("Content-Length : 5\r\n") + b"abcde", B400),
    "F13 tab before the colon": (head("Transfer-Encoding\t: chunked\r\n") + CHUNKED_BODY, B400),
    "F14 space before the first field": (b"GET / HTTP/1.1\r\n Host: a\r\nHost: b\r\n\r\n", B400),
    "F14 folded field": (head("X: a\r\n b\r\n", "GET / HTTP/1.1"), B400),
    "F14 folded coding": (head("Transfer-Encoding:\r\n chunked\r\n") + CHUNKED_BODY, B400),
    "F15 empty name": (head(": x\r\n", "GET / HTTP/1.1"), B400),
    "F15 no token": (head("X Y: x\r\n", "GET / HTTP/1.1"), B400),
    "F15 no colon": (head("nocolon\r\n", "GET / HTTP/1.1"), B400),
    "F15 control in a name": (head("X\x01: x\r\n", "GET / HTTP/1.1"), B400),
    "F15 byte over 7f in a name": (head("X\xff: x\r\n", "GET / HTTP/1.1"), B400),
    "F16 no Host": (b"GET / HTTP/1.1\r\nX: a\r\n\r\n", B400),
    "F16 two Hosts": (head("Host: b\r\n", "GET / HTTP/1.1"), B400),
    "F16 the same Host twice": (head("Host: a\r\n", "GET / HTTP/1.1"), B400),
    **{f"F16 Host {value!r}": (head("", "GET / HTTP/1.1", f"Host: {value}\r\n"), B400)
       for value in ("a b", "a,b", "u@a", "a/b", "a?b", "a#b", "http://a", "a:b", "[::1", "a\\b")},
    "F17 another scheme": (b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F17 user in the authority": (b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F17 a query and no path": (b"GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F17 empty authority": (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F18 asterisk with GET": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F18 authority-form": (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F18 no leading slash": (b"GET foo HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    **{f"F19 target {value!r}": (f"GET {value} HTTP/1.1\r\nHost: a\r\n\r\n".encode("latin1"), B400)
       for value in ("/a b", "/a\tb", "/\x80", "/a\0b", "/a#b", " /a", "/a ", "/a\x7f", "")},
    "F19 text after the version": (b"GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", B400),
    "F19 space before the method": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F19 tab for space": (b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", B400),
    **{f"F20 version {value!r}": (f"GET / {value}\r\nHost: a\r\n\r\n".encode(), (400, 505))
       for value in ("HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/0.9", "HTTP/1.10", "HTTP/11", "HTTP/1", "XTTP/1.1", "HTTP/1,1")},
    "F20 no version": (b"GET /\r\n\r\n", (400, 505)),
    "F21 three empty lines": (b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F22 CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", (405,)),
    "F22 TRACE": (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", (405,)),
    "F22 no token": (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "F22 too long": (b"G" * 40 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", B400),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n", B400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    "H1 too many fields": (head("".join(f"X-{i}: y\r\n" for i in range(101)), "GET / HTTP/1.1"), (431,)),
    "H1 too long a field": (head("X: " + "y" * 70000 + "\r\n", "GET / HTTP/1.1"), (431,)),
    "H1 many long fields": (head("".join(f"X-{i}: {'y' * 2000}\r\n" for i in range(40)), "GET / HTTP/1.1"), (431,)),
    "H1 too long a target": (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (414,)),
    "H1 a target without an end": (b"GET /" + b"a" * 100000, (414,)),
    "H1 a head without an end": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 90 + b"Z: " + b"z" * 70000, (431,)),
}


@pytest.mark.parametrize("name", HEADS)
def test_an_ambiguous_head_is_refused_and_nothing_of_it_goes_on(guarded, name):
    data, statuses = HEADS[name]
    refused(guarded, data + SMUGGLED, statuses)


@pytest.mark.parametrize("name", [n for n in HEADS if not n.startswith("H1 ")])
def test_an_ambiguous_head_that_comes_byte_by_byte_is_refused_alike(guarded, name):
    data, statuses = HEADS[name]
    refused(guarded, data + SMUGGLED, statuses, "bytewise")


def test_an_ambiguous_head_behind_a_good_request_is_refused_after_its_answer(guarded):
    before = len(guarded.origin.requests)
    with Client(guarded.address) as client:
        client.send(b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n" + HEADS["F1 length and chunked"][0] + SMUGGLED)
        assert client.read_response().text == "/good"
        assert client.read_response().status == 400
        assert client.read_until_close() == b""
    assert [r.target for r in guarded.origin.requests[before:]] == ["/good"]


BODIES = {
    **{f"F8 size {value!r}": value + b"\r\nabcde\r\n0\r\n\r\n"
       for value in (b"0x5", b"+5", b"-5", b" 5", b"5 ", b"5_0", b"", b"g", b"00000000000000005", b"0" * 40 + b"5",
                     b"ffffffffffffffff", b"10000000000000005", b"5\t", b"5\r")},
    "F9 bare semicolon": b"5;\r\nabcde\r\n0\r\n\r\n",
    "F9 CR in an extension": b"5;a\rb\r\nabcde\r\n0\r\n\r\n",
    "F9 LF in an extension": b"5;a\nabcde\r\n0\r\n\r\n",
    "F9 LF in a quoted extension": b'5;a="x\ny"\r\nabcde\r\n0\r\n\r\n',
    "F9 NUL in an extension": b"5;a\0\r\nabcde\r\n0\r\n\r\n",
    "F9 long extension": b"5;a=" + b"x" * 300 + b"\r\nabcde\r\n0\r\n\r\n",
    "F10 data without CRLF": b"5\r\nabcdefg\r\n0\r\n\r\n",
    "F10 data with LF": b"5\r\nabcde\n0\r\n\r\n",
    "F10 data with CR and more": b"5\r\nabcde\rX0\r\n\r\n",
    "F10 last chunk with LF": b"5\r\nabcde\r\n0\n\r\n",
    "F10 last chunk with XX": b"5\r\nabcde\r\n0\r\nXX\r\n\r\n",
    "F11 size with LF": b"5\nabcde\r\n0\r\n\r\n",
    "F11 trailer with LF": b"5\r\nabcde\r\n0\r\nT: 1\n\r\n",
    "F11 end with LF": b"5\r\nabcde\r\n0\r\n\n",
    "F12 NUL in a trailer": b"5\r\nabcde\r\n0\r\nT: a\0b\r\n\r\n",
    "F13 space before the colon of a trailer": b"5\r\nabcde\r\n0\r\nT : a\r\n\r\n",
    "F14 folded trailer": b"5\r\nabcde\r\n0\r\nT: a\r\n b\r\n\r\n",
    "H5 too many trailers": b"5\r\nabcde\r\n0\r\n" + b"T: a\r\n" * 200 + b"\r\n",
    "H5 too long a trailer": b"5\r\nabcde\r\n0\r\nT: " + b"a" * 40000 + b"\r\n\r\n",
}
CHUNKED_HEAD = b"POST /bad-body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("how", ["at once", "after the head"])
def test_a_malformed_chunked_body_is_refused_and_the_origin_never_sees_it_whole(guarded, name, how):
    origin = guarded.origin
    before = len(origin.requests)
    with Client(guarded.address) as client:
        if how == "at once":
            client.try_send(CHUNKED_HEAD + BODIES[name] + SMUGGLED)
        else:
            client.send(CHUNKED_HEAD)
            eventually(lambda: len(origin.requests) > before, "the head at the origin")
            client.try_send(BODIES[name] + SMUGGLED)
        response = client.read_response()
        assert response.status in (400, 413, 431), response
        assert response.get("connection") == "close" and client.read_until_close() == b""
    with Client(guarded.address) as client:
        assert client.get("/sentinel").text == "/sentinel"
    new = origin.requests[before:]
    assert "/smuggled" not in [r.target for r in new]
    for request in new:
        if request.target == "/bad-body":
            connection = request.on_connection
            assert connection.over.wait(5), "the origin's connection stayed open"
            assert not request.complete


def test_chunk_extensions_are_read_and_dropped(guarded):
    with Client(guarded.address) as client:
        client.send(CHUNKED_HEAD.replace(b"bad-body", b"ext") + b'5;a;b=c;d="e\\"f"\r\nabcde\r\n0;x\r\n\r\n')
        assert client.read_response().status == 200
    request = guarded.origin.requests[-1]
    assert request.body == b"abcde" and b";" not in request.on_connection.received[-40:]


def test_a_body_shorter_than_its_length_is_never_passed_off_as_complete(guarded):
    before = len(guarded.origin.requests)
    with Client(guarded.address) as client:
        client.send(b"POST /short HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabcde")
        eventually(lambda: len(guarded.origin.requests) > before, "the head at the origin")
        client.fin()
        client.read_until_close()
    request = guarded.origin.requests[-1]
    assert request.on_connection.over.wait(5) and not request.complete


# --- the other direction: what an upstream may not say

RESPONSES = {
    "F1 length and chunked": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "F2 two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "F3 list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcdef",
    **{f"F4 length {v!r}": f"HTTP/1.1 200 OK\r\nContent-Length: {v}\r\n\r\nabcde".encode()
       for v in ("+5", "-5", "0x5", "5_0", "", "18446744073709551621")},
    **{f"F5 coding {v!r}": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {v}\r\n\r\n5\r\nabcde\r\n0\r\n\r\n".encode()
       for v in ("gzip", "chunked, gzip", "identity", "xchunked", "", "chunked, chunked", "chunked;q=1", "gzip, chunked")},
    "F7 chunked in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "F8 chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
    "F11 LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "F12 NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "F13 space before colon": b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
    "F14 folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "F15 no colon": b"HTTP/1.1 200 OK\r\nnocolon\r\nContent-Length: 0\r\n\r\n",
    "F15 empty name": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n",
    **{f"O10 status line {v!r}": v.encode() + b"\r\nContent-Length: 0\r\n\r\n"
       for v in ("HTTP/1.1 099 X", "HTTP/1.1 1000 X", "HTTP/1.1 2x0 X", "HTTP/2.0 200 OK", "HTTP/1.1", "http/1.1 200 OK",
                 "HTTP/1.1  200 OK", "HTTP/1.1 200\x01OK", "ICY 200 OK", "HTTP/1.1 600 X")},
    "garbage": b"\x00\x01\x02garbage\r\n\r\n",
    "O11 too long a head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\nContent-Length: 0\r\n\r\n",
    "O11 too many fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"Content-Length: 0\r\n\r\n",
    "O11 endless head": b"HTTP/1.1 200 OK\r\n" + b"X: yyyyyyyyyyyyyyyyyyyy\r\n" * 5000,
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.fixture(scope="module")
def misled(shared):
    """A Tidegate before an origin that answers /N with the Nth malformed response and everything else with its target."""
    names = list(RESPONSES)

    def script(connection):
        while request := connection.read_request():
            if request.target.startswith("/bad/"):
                connection.send(RESPONSES[names[int(request.target[5:])]])
                if request.get("x-then") == "fin":
                    return
            else:
                connection.send(ok(request.target))

    origin = shared.origin(script)
    tidegate = shared.proxy(origin, route={"retry": {"retries": 0}}, cluster={"timeouts": {"response_header": "5s"}})
    tidegate.origin = origin
    return tidegate


@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("then", ["stay", "fin"])
def test_a_malformed_response_is_502_and_never_reaches_the_client(misled, name, then):
    index = list(RESPONSES).index(name)
    with Client(misled.address) as client:
        response = client.get(f"/bad/{index}", fields=f"x-then: {then}\r\n")
        if name == "F8 chunk size" and response.status == 200:
            assert not response.complete and client.ended
            return
        assert response.status == 502 and response.complete, response
        assert client.get("/next").text == "/next", "the client's connection lives on"
    used = misled.origin.requests[-2].on_connection
    assert then == "fin" or used.over.wait(5), "the connection that misled us stayed open"
    assert misled.origin.requests[-1].on_connection is not used


@pytest.mark.parametrize("extra", [b"x", b"\r\n", ok("poison"), b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("method,response", [
    ("GET", ok("good")), ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n"),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"), ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n")])
@pytest.mark.parametrize("when", ["with it", "later"])
def test_extra_bytes_after_a_response_make_that_upstream_connection_unusable(lab, extra, method, response, when):
    sent = threading.Event()

    def script(connection):
        request = connection.read_request()
        if request is None:
            return
        if connection.index > 0:
            connection.send(ok("other connection") if request.method == "GET" else response)
        elif when == "with it":
            connection.send(response + extra)
        else:
            connection.send(response)
            sent.wait(5)
            connection.send(extra)
        connection.wait_for_end(10)

    origin = lab.origin(script)
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    first = client.get("/first", method=method)
    assert first.complete and first.text in ("good", "")
    sent.set()
    assert origin.connections[0].over.wait(5), "the connection with extra bytes stayed open"
    second = client.get("/second")
    assert second.text == "other connection" and origin.requests[-1].on_connection.index == 1


# --- responses that break off

CUT_CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: chunked\r\n\r\n"
               b"a\r\n0123456789\r\n14;x=y\r\nabcdefghijklmnopqrst\r\n0\r\nX-Trailer: yes\r\n\r\n")
CUT_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\nX-Kind: length\r\n\r\n" + b"0123456789" * 6


@pytest.fixture(scope="module")
def cutting(shared):
    """/kind/how/N: the first N bytes of the response of this kind, then FIN or RST."""
    def script(connection):
        while request := connection.read_request():
            if request.target == "/next":
                connection.send(ok("next"))
                continue
            _, kind, how, count = request.target.split("/")
            whole = CUT_CHUNKED if kind == "chunked" else CUT_LENGTH
            connection.send(whole[:int(count)])
            connection.fin() if how == "fin" else connection.rst()
            return

    return shared.proxy(shared.origin(script, record=False), route={"retry": {"retries": 0}})


@pytest.mark.parametrize("kind,whole,body", [("chunked", CUT_CHUNKED, b"0123456789abcdefghijklmnopqrst"),
                                             ("length", CUT_LENGTH, b"0123456789" * 6)], ids=["chunked", "length"])
@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("old_client", [False, True], ids=["1.1", "1.0"])
def test_a_response_cut_at_any_byte_is_never_passed_off_as_complete(cutting, kind, whole, body, how, old_client):
    head_size = whole.index(b"\r\n\r\n") + 4
    for count in range(len(whole) + 1):
        with Client(cutting.address) as client:
            client.send(f"GET /{kind}/{how}/{count} HTTP/1.{0 if old_client else 1}\r\nHost: a\r\n\r\n")
            response = client.read_response()
            at = f"cut after {count} of {len(whole)} ({how}): {response}, ended {client.ended}"
            if count == len(whole):
                assert how == "rst" or (response.complete and response.body == body), at
                if response.status == 200 and response.complete:
                    assert response.body == body, at
                continue
            if count < head_size:
                assert response.status == 502 and response.complete, at
            else:
                assert response.status == 502 or (not response.complete and client.ended), at
                assert body.startswith(response.body) or response.status == 502, at
        if count % 10 == 0:
            with Client(cutting.address) as client:
                assert client.get("/next").text == "next"


def test_a_body_that_ends_with_the_connection_and_is_reset_is_reset_for_the_client(lab):
    def script(connection):
        request = connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\n\r\npart of it")
        assert request.on_connection is connection
        go.wait(10)
        connection.rst()

    for version in ("1.0", "1.1"):
        go = threading.Event()
        tidegate = lab.proxy(lab.origin(script), route={"retry": {"retries": 0}})
        client = lab.client(tidegate)
        client.send(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n")
        eventually(lambda: b"part of it" in client._source.buffer or client._source._pull(), "the first part")
        go.set()
        response = client.read_response()
        assert not response.complete, response
        if version == "1.0":
            assert client.ended == "rst"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_upstream_that_stalls_within_a_body_is_cut_off_after_its_idle_time(lab, version):
    origin = lab.origin(lambda c: (c.read_request(), c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), c.wait_for_end()))
    tidegate = lab.proxy(origin, cluster={"timeouts": {"idle": "300ms"}})
    client = lab.client(tidegate)
    client.send(f"GET / HTTP/{version}\r\nHost: a\r\n\r\n")
    response = client.read_response()
    assert (response.status, response.body, response.complete) == (200, b"abc", False) and client.ended
    assert origin.connections[0].over.wait(5)
