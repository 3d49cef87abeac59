"""Requests over HTTP/2 that would be something else over HTTP/1.1, frame by frame: refused, and odd but legal ones that arrive as one message
which two strict judges read alike. RELIABILITY.md T."""
import socket

import hpack
import pytest
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame, RstStreamFrame, SettingsFrame

from harness import Client, ok, serve
from harness.faults_http2 import PREFACE
from harness.http1 import Cut, Source
from harness.judges import is_refused_by_both, judged_requests

pytestmark = pytest.mark.one_worker

GET = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/h2")]
POST = [(":method", "POST"), *GET[1:]]


def get(*more, **pseudo):
    """The fields of a GET. @param pseudo in place of the usual; None: without."""
    return [(name, pseudo.get(name[1:], value)) for name, value in GET if pseudo.get(name[1:], value) is not None] + list(more)


def block(fields):
    return hpack.Encoder().encode(fields)


def head(fields, end=True):
    return HeadersFrame(1, block(fields), flags=["END_HEADERS", *(["END_STREAM"] if end else [])]).serialize()


def data(octets, end=True, **padding):
    return DataFrame(1, octets, flags=[*(["END_STREAM"] if end else []), *(["PADDED"] if padding else [])], **padding).serialize()


def trailers(*fields):
    return HeadersFrame(1, block(fields), flags=["END_HEADERS", "END_STREAM"]).serialize()


def post(octets, *more):
    return head([*POST, *more], end=False) + data(octets)


MALFORMED = {
    "T1 name in capitals": head(get(("X-A", "b"))),
    "T1 name with a blank": head(get(("x a", "b"))),
    "T1 name with a colon": head(get(("x:a", "b"))),
    "T1 empty name": head(get(("", "b"))),
    "T1 name with CR LF": head(get(("x\r\ny", "b"))),
    "T1 value with CR LF": head(get(("x", "b\r\ntransfer-encoding: chunked"))),
    "T1 value with LF": head(get(("x", "b\nc"))),
    "T1 value with CR": head(get(("x", "b\rc"))),
    "T1 value with NUL": head(get(("x", "b\0c"))),
    "T2 connection": head(get(("connection", "close"))),
    "T2 proxy-connection": head(get(("proxy-connection", "close"))),
    "T2 keep-alive": head(get(("keep-alive", "5"))),
    "T2 upgrade": head(get(("upgrade", "h2c"))),
    "T2 transfer-encoding": head([*POST, ("transfer-encoding", "chunked")], end=False) + data(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    "T2 te other than trailers": head(get(("te", "gzip"))),
    **{f"T3 no {name}": head(get(**{name: None})) for name in ("method", "scheme", "path")},
    "T3 neither :authority nor host": head(get(authority=None)),
    **{f"T3 two {name}": head([*GET, (name, value)]) for name, value in GET},
    "T3 unknown pseudo-field": head([*GET[:3], (":proto", "x"), *GET[3:]]),
    "T3 :status": head([*GET, (":status", "200")]),
    "T3 pseudo-field behind another": head([*GET[:3], ("x", "y"), GET[3]]),
    "T3 pseudo-field in trailers": head(POST, end=False) + data(b"x", end=False) + trailers((":path", "/x")),
    "T3 empty :path": head(get(path="")),
    "T3 :path without a slash": head(get(path="h2")),
    "T3 another :scheme": head(get(scheme="https")),
    "T3 odd :scheme": head(get(scheme="http://a/?")),
    "T4 :method with a blank": head(get(method="GET /smuggled HTTP/1.1\r\nx:")),
    "T4 :method with CR LF": head(get(method="GET\r\n")),
    "T4 :path with a blank": head(get(path="/h2 HTTP/1.1")),
    "T4 :path with CR LF": head(get(path="/h2 HTTP/1.1\r\nHost: b\r\n\r\nGET /smuggled")),
    "T4 :path with a fragment": head(get(path="/h2#x")),
    "T4 :path with a byte over 7f": head(get(path=b"/\xe4".decode("latin1"))),
    "T4 :path of an absolute-form": head(get(path="http://b/")),
    "T4 :authority with a slash": head(get(authority="a/b")),
    "T4 :authority with a user": head(get(authority="u@a")),
    "T4 :authority with a blank": head(get(authority="a b")),
    "T4 :authority with CR LF": head(get(authority="a\r\nx: y")),
    "T4 * with GET": head(get(path="*")),
    "T5 host that is another": head(get(("host", "b"))),
    "T5 two hosts": head(get(("host", "a"), ("host", "a"), authority=None)),
    "T6 less DATA than content-length": post(b"abc", ("content-length", "5")),
    "T6 more DATA than content-length": post(b"abcdefgh", ("content-length", "5")),
    "T6 content-length and END_STREAM": head([*POST, ("content-length", "5")]),
    "T6 two content-lengths": post(b"abcde", ("content-length", "5"), ("content-length", "6")),
    "T6 content-length that is none": post(b"abcde", ("content-length", "+5")),
    "T6 list of content-lengths": post(b"abcde", ("content-length", "5, 5")),
    "T12 CONNECT": head([(":method", "CONNECT"), (":authority", "a:80")]),
    "T14 trailers without END_STREAM": head(POST, end=False) + head([("x", "y")], end=False) + data(b"x"),
    "T14 DATA before HEADERS": data(b"x") + head(GET),
    "T14 padding beyond the frame": b"\0\0\2\0\x09\0\0\0\1\xffx",
    "T8 101 cookie crumbs": head(get(*[("cookie", "a=b")] * 101)),
    "H1 too many fields": head(get(*[("x", "y")] * 101)),
    "TRACE": head(get(method="TRACE")),
    "an escaped NUL": head(get(path="/a%00")),
}

ROOT, ABCDE = [(b"GET", b"/h2", b"")], [(b"POST", b"/h2", b"abcde")]
LONG = block(get(("x", "~" * 40_000)))

ODD = {
    "the plainest": (head(GET), ROOT),
    "host instead of :authority": (head(get(("host", "a"), authority=None)), ROOT),
    "host that is the same": (head(get(("host", "a"))), ROOT),
    "te: trailers": (head(get(("te", "trailers"))), ROOT),
    "an odd method": (head(get(method="M!#$%&'*+-.^_`|~9")), [(b"M!#$%&'*+-.^_`|~9", b"/h2", b"")]),
    "OPTIONS *": (head(get(method="OPTIONS", path="*")), [(b"OPTIONS", b"*", b"")]),
    **{f":path {path!r}": (head(get(path=path)), [(b"GET", path.encode(), b"")]) for path in ("//a//b", "/?", "/a?b=?&c", "/%01", "/a|b", "/a:b")},
    "pseudo-fields in another order": (head([*reversed(GET)]), ROOT),
    "cookie crumbs": (head(get(("cookie", "a=1"), ("cookie", "b=2"))), ROOT),
    "an empty value": (head(get(("x", ""))), ROOT),
    "a value with obs-text": (head(get(("x", "\xe4"))), ROOT),
    "a name of odd tokens": (head(get(("!#$%&'*+-.^_`|~9a", "b"))), ROOT),
    "CONTINUATION": (HeadersFrame(1, LONG[:16000], flags=["END_STREAM"]).serialize() + ContinuationFrame(1, LONG[16000:32000]).serialize()
                     + ContinuationFrame(1, LONG[32000:], flags=["END_HEADERS"]).serialize(), ROOT),
    "padded HEADERS": (HeadersFrame(1, block(GET), pad_length=200, flags=["END_HEADERS", "END_STREAM", "PADDED"]).serialize(), ROOT),
    "HEADERS with a priority": (HeadersFrame(1, block(GET), stream_weight=10, flags=["END_HEADERS", "END_STREAM", "PRIORITY"]).serialize(), ROOT),
    "PRIORITY, PING and an unknown frame before": (PriorityFrame(1, depends_on=3).serialize() + PingFrame(0, b"12345678").serialize()
                                                   + b"\0\0\3\xee\0\0\0\0\0abc" + head(GET), ROOT),
    "a body": (post(b"abcde"), ABCDE),
    "a body with its length": (post(b"abcde", ("content-length", "5")), ABCDE),
    "a body in single bytes": (head(POST, end=False) + b"".join(data(b"abcde"[i:i + 1], end=i == 4) for i in range(5)), ABCDE),
    "an empty last DATA": (head(POST, end=False) + data(b"abcde", end=False) + data(b""), ABCDE),
    "an empty DATA between": (head(POST, end=False) + data(b"abc", end=False) + data(b"", end=False) + data(b"de"), ABCDE),
    "padded DATA": (head(POST, end=False) + data(b"abcde", pad_length=99), ABCDE),
    "nothing but padding": (head(POST, end=False) + data(b"", end=False, pad_length=9) + data(b"abcde"), ABCDE),
    "trailers": (head(POST, end=False) + data(b"abcde", end=False) + trailers(("x-t", "1")), ABCDE),
    "trailers without a body": (head(POST, end=False) + trailers(("x-t", "1")), [(b"POST", b"/h2", b"")]),
    "a POST that ends with its head": (head(POST), [(b"POST", b"/h2", b"")]),
    "content-length 0 and END_STREAM": (head([*POST, ("content-length", "0")]), [(b"POST", b"/h2", b"")]),
    "a GET with a body": (head(GET, end=False) + data(b"abcde"), [(b"GET", b"/h2", b"abcde")]),
    "a body that looks like HTTP/1.1": (post(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
                                        [(b"POST", b"/h2", b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")]),
}


def outcome(address, frames):
    """Sends these. @return the status of stream 1, or None when it, or the connection, was ended without one"""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 15) as sock:
        sock.sendall(PREFACE + SettingsFrame(0).serialize())
        try:
            sock.sendall(frames)
        except OSError:
            return None
        return _status(Source(lambda: _received(sock)))


def _received(sock):
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""


def _status(source):
    decoder, status = hpack.Decoder(), None
    while True:
        try:
            frame, length = Frame.parse_frame_header(memoryview(source.take(9)))
            frame.parse_body(memoryview(source.take(length)))
        except Cut:
            return None
        if isinstance(frame, GoAwayFrame) or isinstance(frame, RstStreamFrame) and frame.stream_id == 1:
            return status
        if isinstance(frame, HeadersFrame) and frame.stream_id == 1:
            status = status or int(dict(decoder.decode(frame.data))[":status"])
        if frame.stream_id == 1 and "END_STREAM" in frame.flags:
            return status


@pytest.fixture(scope="module")
def judged(shared):
    """Before an origin of HTTP/1.1 that records everything; each request has a connection of its own there."""
    origin = shared.origin(serve(lambda request: ok(request.target)))
    tidegate = shared.proxy(origin, listener={"h2c": True}, cluster={"pool": {"requests_per_connection": 1}}, route={"retry": {"retries": 0}})
    tidegate.origin = origin
    return tidegate


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_over_http2_is_refused_and_no_judge_sees_a_whole_one(judged, name):
    known = len(judged.origin.connections)
    status = outcome(judged.address, MALFORMED[name])
    assert status is None or 400 <= status < 500 or status == 501, status
    with Client(judged.address) as client:
        assert client.get("/sentinel").text == "/sentinel"
    *of_it, sentinel = judged.origin.connections[known:]
    assert [message.start for message in judged_requests(sentinel.received)] == [(b"GET", b"/sentinel")]
    for connection in of_it:
        assert connection.over.wait(5) and is_refused_by_both(connection.received), connection.received


@pytest.mark.parametrize("name", ODD)
def test_an_odd_but_legal_request_over_http2_arrives_as_one_that_both_judges_read_alike(judged, name):
    frames, wanted = ODD[name]
    known = len(judged.origin.connections)
    assert outcome(judged.address, frames) == 200
    messages = []
    for connection in judged.origin.connections[known:]:
        assert connection.over.wait(5)
        messages += judged_requests(connection.received)
    assert [(*message.start, message.body) for message in messages] == wanted
