"""Framing before two strict judges (harness/judges.py): what is odd and legal works, and goes on as one message that both read alike; of what
is refused neither sees a whole one. The refused ones themselves are test_framing.py's. Issue 6, RELIABILITY.md F, H and T."""
import pytest

from harness import Client, eventually, ok, serve
from harness.judges import is_refused_by_both, judged_requests, judged_responses
from test_framing import BODIES, CHUNKED_HEAD, HEADS, RESPONSES
from test_framing_http2 import MALFORMED, ODD

pytestmark = pytest.mark.one_worker


CHUNKED = "Transfer-Encoding: chunked\r\n"


def get(target="/", method="GET", fields="", version="1.1", host="Host: a\r\n"):
    return f"{method} {target} HTTP/{version}\r\n{host}{fields}\r\n".encode("latin1")


def post(body, fields, method="POST"):
    return get("/", method, fields) + body


def plain(target, method="GET", body=b""):
    """What has to arrive."""
    return (method.encode(), target.encode("latin1"), body)


ROOT = [plain("/")]
ABCDE = [plain("/", "POST", b"abcde")]
LONG = "/" + "a" * 16000

# name: (bytes, what arrives)
ODD_REQUESTS = {
    **{f"target {target[:40]!r}": (get(target), [plain(target)]) for target in (
        "//a//b", "/a:b/http://c", "/%7Ea%2F%01", "/%zz", "/a/..b/.c/...d", "/a|b{c}<>^`\\", '/"', "/?a=?&b", "/?", "/?a[]=1", "/;p=1",
        "/~!$&'()*+,;=:@", LONG)},
    "absolute-form": (get("http://o:81/a?b"), [plain("/a?b")]),
    "absolute-form without a path": (get("http://o"), ROOT),
    "absolute-form, scheme in odd case": (get("HtTp://o/a"), [plain("/a")]),
    "absolute-form of IPv6": (get("http://[::1]:80/"), ROOT),
    "OPTIONS *": (get("*", "OPTIONS"), [plain("*", "OPTIONS")]),
    "OPTIONS of a whole server": (get("http://o", "OPTIONS"), [plain("*", "OPTIONS")]),
    **{f"method {method}": (get("/", method), [plain("/", method)]) for method in (
        "BREW", "get", "X", "M!#$%&'*+-.^_`|~9", "CONNECTED", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", "PROPFIND")},
    "HTTP/1.0": (get(version="1.0"), ROOT),
    "HTTP/1.0 without Host": (get(version="1.0", host=""), ROOT),
    "HTTP/1.0 with a body": (b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nabcde", ABCDE),
    "an empty line before": (b"\r\n" + get(), ROOT),
    "two empty lines before": (b"\r\n\r\n" + get(), ROOT),
    **{f"Host {host!r}": (get(host=f"Host: {host}\r\n"), ROOT) for host in (
        "a:80", "[::1]:8080", "1.2.3.4", "a.b-c_d.e", "xn--bcher-kva.example", "A.Example")},
    **{f"field {line!r}": (get(fields=line + "\r\n"), ROOT) for line in (
        "X:", "X: \t ", "X: a\tb", "X: \xe4\xff\x80", "X: :a", "X::a", "!#$%&'*+-.^_`|~9a: b", "x_y: b", "a: 1\r\nA: 2\r\na: 1",
        "Content-Lengths: 5\r\nX-Transfer-Encoding: chunked\r\nContent_Length: 6", "X: Content-Length: 6", "X:\t\tblanks\t\t")},
    "a name of 1000 bytes": (get(fields="x" * 1000 + ": y\r\n"), ROOT),
    "a value of 60,000 bytes": (get(fields="X: " + "y" * 60_000 + "\r\n"), ROOT),
    "99 fields": (get(fields="".join(f"X-{i}: y\r\n" for i in range(99))), ROOT),
    **{f"length {line!r}": (post(b"abcde", line + "\r\n"), ABCDE) for line in (
        "Content-Length: 5", "content-length:5", "Content-Length: \t 5 \t ", "Content-Length: 005", "CONTENT-LENGTH: 5")},
    "length 0": (post(b"", "Content-Length: 0\r\n"), [plain("/", "POST")]),
    "a GET with a body": (post(b"abcde", "Content-Length: 5\r\n", "GET"), [plain("/", "GET", b"abcde")]),
    "a DELETE with chunks": (post(b"5\r\nabcde\r\n0\r\n\r\n", CHUNKED, "DELETE"), [plain("/", "DELETE", b"abcde")]),
    **{f"coding {line!r}": (post(b"5\r\nabcde\r\n0\r\n\r\n", line + "\r\n"), ABCDE) for line in (
        "TRANSFER-ENCODING: cHuNkEd", "Transfer-Encoding:\t chunked\t ", "transfer-encoding:chunked")},
    **{f"chunks {chunks[:40]!r}": (post(chunks, CHUNKED), ABCDE) for chunks in (
        b"5\r\nabcde\r\n000\r\n\r\n", b"000000000000005\r\nabcde\r\n0\r\n\r\n", b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\n0\r\n\r\n",
        b"5;a\r\nabcde\r\n0\r\n\r\n", b"5 ;a\r\nabcde\r\n0\r\n\r\n", b"5;a=b;c\r\nabcde\r\n0;d\r\n\r\n", b'5;a="b;c\\"d"\r\nabcde\r\n0\r\n\r\n',
        b"5\r\nabcde\r\n0\r\nX-T: 1\r\n\r\n",
        b"5\r\nabcde\r\n0\r\nX-T:\r\nx-t: \xe4\r\n\r\n")},
    "chunk size in capitals": (post(b"A\r\n0123456789\r\n0\r\n\r\n", CHUNKED), [plain("/", "POST", b"0123456789")]),
    "chunked and empty": (post(b"0\r\n\r\n", CHUNKED), [plain("/", "POST")]),
    "a body that looks like a request": (post(get("/x"), f"Content-Length: {len(get('/x'))}\r\n"), [plain("/", "POST", get("/x"))]),
    "a chunk that looks like the end": (post(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", CHUNKED), [plain("/", "POST", b"0\r\n\r\n")]),
    **{f"connection {line!r}": (get(fields=line + "\r\n"), ROOT) for line in (
        "Connection: close", "Connection: ,, x ,\r\nx: 1", "Connection:", "Connection: nothing", "Connection: connection", "Connection: host, Host",
        "Connection: x\r\nConnection: y\r\nx: 1", "Keep-Alive: timeout=5\r\nProxy-Connection: close", "TE: trailers\r\nConnection: TE",
        "Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ", "Connection: close\r\nclose: a")},
    "a length that Connection names": (post(b"abcde", "Connection: content-length\r\nContent-Length: 5\r\n"), ABCDE),
    "a coding that Connection names": (post(b"5\r\nabcde\r\n0\r\n\r\n", "Connection: transfer-encoding\r\n" + CHUNKED), ABCDE),
    "a pipeline of every framing": (get("/1") + post(b"abcde", "Content-Length: 5\r\n") + post(b"5\r\nabcde\r\n0\r\n\r\n", CHUNKED) + get("/2"),
                                    [plain("/1"), *ABCDE, *ABCDE, plain("/2")]),
}


@pytest.fixture(scope="module")
def judged(shared):
    """A Tidegate before an origin that records everything; each request has a connection of its own there."""
    origin = shared.origin(serve(lambda request: ok("x")))
    tidegate = shared.proxy(origin, cluster={"pool": {"requests_per_connection": 1}})
    tidegate.origin = origin
    return tidegate


def arrived(origin, known):
    """Each connection since then carried one request, and both judges read it alike."""
    messages = []
    for connection in origin.connections[known:]:
        assert not connection.received or connection.over.wait(5)
        messages += judged_requests(connection.received)
    return messages


@pytest.mark.parametrize("how", ["at once", "byte by byte"])
@pytest.mark.parametrize("name", ODD_REQUESTS)
def test_an_odd_but_legal_request_works_and_goes_on_in_one_form(judged, name, how):
    data, wanted = ODD_REQUESTS[name]
    known = len(judged.origin.connections)
    with Client(judged.address) as client:
        if how == "at once":
            client.send(data)
        elif len(data) > 5000:
            client.send(data[:3000]).send(data[3000:])
        else:
            client.send_bytewise(data)
        for method, _, _ in wanted:
            answer = client.read_response(method.decode())
            assert (answer.status, answer.complete) == (200, True), answer
    messages = arrived(judged.origin, known)
    assert [(*message.start, message.body) for message in messages] == wanted
    for message in messages:
        names = [key for key, _ in message.fields]
        assert not {b"keep-alive", b"proxy-connection", b"upgrade"} & set(names)
        assert {value.lower() for key, value in message.fields if key == b"connection"} <= {b"te"}
        assert names.count(b"host") == 1


# --- the other direction

def answer(fields="", status="200 OK", body=b"", version="1.1"):
    return f"HTTP/{version} {status}\r\n{fields}\r\n".encode("latin1") + body


FIVE = "Content-Length: 5\r\n"
# name: (bytes, the status and the body that arrive); those that end with the connection have `until close` in their name
ODD_RESPONSES = {
    "no reason": (answer(FIVE, "200 ", b"abcde"), 200, b"abcde"),
    "an odd reason": (answer(FIVE, "200 \xe4\t !\"", b"abcde"), 200, b"abcde"),
    "a reason of 5000 bytes": (answer(FIVE, "200 " + "x" * 5000, b"abcde"), 200, b"abcde"),
    **{f"status {status}": (answer(FIVE, f"{status} X", b"abcde"), status, b"abcde") for status in (
        201, 206, 226, 299, 302, 418, 451, 499, 511, 599)},
    **{f"length {line!r}": (answer(line + "\r\n", body=b"abcde"), 200, b"abcde") for line in (
        "content-length:5", "Content-Length: \t5\t", "Content-Length: 005")},
    "length 0": (answer("Content-Length: 0\r\n"), 200, b""),
    **{f"coding {line!r}": (answer(line + "\r\n", body=b"5\r\nabcde\r\n0\r\n\r\n"), 200, b"abcde") for line in (
        "Transfer-Encoding: Chunked", "TRANSFER-ENCODING:chunked")},
    **{f"chunks {chunks[:40]!r}": (answer(CHUNKED, body=chunks), 200, b"abcde") for chunks in (
        b"0005\r\nabcde\r\n00\r\n\r\n", b"5;a=b\r\nabcde\r\n0;c\r\n\r\n", b'5;a="b;c"\r\nabcde\r\n0\r\n\r\n', b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
        b"5\r\nabcde\r\n0\r\nX-T: 1\r\n\r\n")},
    "chunked and empty": (answer(CHUNKED, body=b"0\r\n\r\n"), 200, b""),
    "1.0 with a length": (answer(FIVE, body=b"abcde", version="1.0"), 200, b"abcde"),
    "1.0 until close": (answer("", body=b"abcde", version="1.0"), 200, b"abcde"),
    "1.1 until close": (answer("", body=b"abcde"), 200, b"abcde"),
    "nothing until close": (answer(""), 200, b""),
    "Connection: close until close": (answer("Connection: close\r\n", body=b"abcde"), 200, b"abcde"),
    "204 with a length": (answer("Content-Length: 0\r\n", "204 No Content"), 204, b""),
    "204 with a coding": (answer(CHUNKED, "204 No Content"), 204, b""),
    "304 with a length": (answer(FIVE, "304 Not Modified"), 304, b""),
    "304 with a coding": (answer(CHUNKED, "304 Not Modified"), 304, b""),
    "100 and 103 before": (answer("", "100 Continue") + answer("Link: </a>\r\n", "103 Early Hints") + answer(FIVE, body=b"abcde"), 200, b"abcde"),
    "102 before": (answer("", "102 Processing") + answer(FIVE, body=b"abcde"), 200, b"abcde"),
    **{f"field {line!r}": (answer(FIVE + line + "\r\n", body=b"abcde"), 200, b"abcde") for line in (
        "X:", "X: \xe4\xff", "X: a\tb", "Set-Cookie: a\r\nSet-Cookie: b", "Connection: x\r\nx: 1", "Keep-Alive: timeout=5", "Connection: ,",
        "!#$%&'*+-.^_`|~9a: b",
        "Upgrade: h2c", "Content-Encoding: gzip", "Trailer: X-T")},
    "a field of 60,000 bytes": (answer(FIVE + "X: " + "y" * 60_000 + "\r\n", body=b"abcde"), 200, b"abcde"),
    "199 fields": (answer(FIVE + "X: y\r\n" * 199, body=b"abcde"), 200, b"abcde"),
}


class Recorder(Client):
    def __init__(self, address):
        self.seen = b""
        super().__init__(address)

    def _more(self):
        data = super()._more()
        self.seen += data
        return data


@pytest.fixture(scope="module")
def answering(shared):
    """/N is answered with the Nth odd response, /bad/N with the Nth malformed one."""
    odd, bad = list(ODD_RESPONSES), list(RESPONSES)

    def script(connection):
        while request := connection.read_request():
            *kind, number = request.target[1:].split("/")
            if kind:
                connection.send(RESPONSES[bad[int(number)]])
                return
            name = odd[int(number)]
            connection.send(ODD_RESPONSES[name][0])
            if "until close" in name:
                return

    return shared.proxy(shared.origin(script), route={"retry": {"retries": 0}})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ODD_RESPONSES)
def test_an_odd_but_legal_response_works_and_goes_on_in_one_form(answering, name, method):
    """To HEAD as well, with a body that must not be there: then that connection is not used again."""
    _, status, body = ODD_RESPONSES[name]
    with Recorder(answering.address) as client:
        response = client.get(f"/{list(ODD_RESPONSES).index(name)}", method=method)
        assert (response.status, response.complete) == (status, True), response
        *interim, final = judged_responses(client.seen, (method,))
        assert (final.start, final.body) == (status, b"" if method == "HEAD" else body)
        assert [message.start for message in interim] == [number for number, _ in response.informational]


# --- of what is refused no judge sees a message

@pytest.mark.parametrize("name", BODIES)
def test_of_a_malformed_body_no_judge_sees_a_whole_request(judged, name):
    known = len(judged.origin.connections)
    with Client(judged.address) as client:
        client.send(CHUNKED_HEAD)
        eventually(lambda: len(judged.origin.connections) > known, "the head at the origin")
        client.try_send(BODIES[name])
        assert client.read_response().status in (400, 413, 431)
    for connection in judged.origin.connections[known:]:
        assert connection.over.wait(5) and is_refused_by_both(connection.received), connection.received


@pytest.mark.parametrize("name", RESPONSES)
def test_of_a_malformed_response_clients_see_one_answer_that_is_tidegates_own_or_none(answering, name):
    with Recorder(answering.address) as client:
        response = client.get(f"/bad/{list(RESPONSES).index(name)}")
        if response.complete:
            assert [message.start for message in judged_responses(client.seen)] == [502]
        else:
            with pytest.raises(AssertionError):
                judged_responses(client.seen)


def test_there_are_as_many_as_the_hardening_checklist_asks_for():
    refused = len(HEADS) + len(BODIES) + len(RESPONSES) + len(MALFORMED)
    odd = len(ODD_REQUESTS) + len(ODD_RESPONSES) + len(ODD)
    print(f"{refused} malformed or ambiguous messages that are refused, {odd} odd and legal ones that work")
    assert refused >= 150 and odd >= 60
