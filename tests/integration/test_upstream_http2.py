"""What a server of HTTP/2 may say at any moment, and who waits for it meanwhile: nothing that it has answered is lost, nothing that it
has not seen is a failure, and nobody waits for what need not be waited for. Each test is a bug that there was."""
import contextlib
import socket
import ssl
import threading
from concurrent import futures

import grpc
import pytest
from hyperframe.frame import GoAwayFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from harness import Authority, dns, eventually, ok, serve, stays
from harness.faults import never_connects
from harness.frames import OK, PREFACE, FrameOrigin, data, frames, headers, kind
from harness.http1 import Cut

pytestmark = pytest.mark.one_worker

ALONE = {"retry": {"retries": 0}, "gate": {"on_fail": "notify"}}
NO_ERROR, INTERNAL_ERROR, STREAM_CLOSED, REFUSED_STREAM, CANCEL = 0, 2, 5, 7, 8
MOST_STREAMS, WINDOW = 3, 4     # of SETTINGS
EVENTS_A_TURN = 256     # net/reactor.h


def proxy_to(lab, origin, cluster=None, **options):
    return lab.proxy(origin, listener={"h2c": True}, cluster={"protocol": "http2", **(cluster or {})}, route=ALONE, **options)


def known(client):
    """The client has read the proxy's SETTINGS, which allow it 100 streams."""
    client._take(client.peer.events())
    return client


def answers(origin):
    """`react` of one that answers each request once it is whole."""
    def react(connection, frame):
        if kind(frame) in ("Headers", "Data") and "END_STREAM" in frame.flags:
            origin().send(connection, headers(frame.stream_id, OK, "END_STREAM"))
    return react


# --- what was answered is whole

@pytest.mark.parametrize("up", ["http2", "http1"])
@pytest.mark.several_threads
def test_trailers_arrive_whatever_the_size_of_the_body(lab, up):
    """Also where the body's end fills the block that is sent: the stream's end must not overtake them."""
    size = lambda path: int(path[1:])

    def script(connection):
        while request := connection.read_request():
            body = b"x" * size(request.target)
            connection.send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n"
                            b"%x\r\n%b\r\n0\r\nx-t: 1\r\n\r\n" % (len(body), body))
    origin = (lab.origin(script, record=False) if up == "http1" else
              lab.http2_origin(lambda request: (200, [], b"x" * size(request.path), [("x-t", "1")])))
    tidegate = proxy_to(lab, origin, {"protocol": up})
    client = lab.http2_client(tidegate)
    for count in [*range(13000, 17500, 53), *range(29000, 34000, 131), *range(62000, 67000, 131)]:
        answer = client.get(f"/{count}")
        assert (answer.status, answer.reset, len(answer.body), answer.trailers) == (200, None, count, {"x-t": "1"}), count
    assert tidegate.api.failures_of_sides() == 0


def test_trailers_of_many_small_answers_that_come_together_arrive(lab):
    """90 calls of gRPC at a time on a connection: the block is full within one of them."""
    head, trailers = b"\x88\x0f\x10\x10application/grpc", b"\x00\x0bgrpc-status\x010"  # HPACK, not in its table
    waiting = []

    def react(connection, frame):
        if kind(frame) != "Headers":
            return
        waiting.append(frame.stream_id)
        if len(waiting) == 90:
            origin.send(connection, b"".join(
                headers(stream, head) + data(stream, b"m" * 300) + headers(stream, trailers, "END_STREAM") for stream in waiting))
            waiting.clear()
    origin = lab.keep(FrameOrigin(react, {MOST_STREAMS: 200}))
    tidegate = proxy_to(lab, origin)
    client = known(lab.http2_client(tidegate))
    call = dict(path="/s/m", method="POST", headers=[("content-type", "application/grpc"), ("te", "trailers")], body=b"")
    for _ in range(10):
        for stream in [client.start(**call) for _ in range(90)]:
            answer = client.finish(stream)
            assert (answer.status, answer.reset, len(answer.body), answer.trailers) == (200, None, 300, {"grpc-status": "0"})


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


def test_calls_of_grpc_with_answers_of_every_size_succeed(lab):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Echo(),))
    tidegate = proxy_to(lab, "127.0.0.1:%d" % server.add_insecure_port("127.0.0.1:0"))
    server.start()
    try:
        with grpc.insecure_channel(tidegate.address) as channel:
            call = channel.unary_unary("/t/unary")
            assert [len(call(b"x" * size)) for size in range(14000, 17000, 50)] == list(range(14000, 17000, 50))
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize("down", ["http1", "http2"])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("code", [NO_ERROR, CANCEL, INTERNAL_ERROR, STREAM_CLOSED])
@pytest.mark.parametrize("body", [b"", b"denied", b"no" * 20000], ids=["no body", "body", "large body"])
def test_a_whole_answer_is_delivered_whatever_reset_of_the_rest_of_the_request_comes_behind_it(lab, code, down, body, whole):
    def react(connection, frame):
        if kind(frame) != "Headers":
            return
        parts = [body[at:at + 10000] for at in range(0, len(body), 10000)]
        out = headers(frame.stream_id, OK, *([] if parts else ["END_STREAM"]))
        out += b"".join(data(frame.stream_id, part, *(["END_STREAM"] if part is parts[-1] else [])) for part in parts)
        origin.send(connection, out + RstStreamFrame(frame.stream_id, code).serialize())
    origin = lab.keep(FrameOrigin(react))
    tidegate = proxy_to(lab, origin)
    if down == "http2":
        client = lab.http2_client(tidegate)
        stream = client.start("/", method="POST", end=False)
        client.send(stream, b"x" * 100, end=whole)
        answer = client.finish(stream)
    else:
        client = lab.client(tidegate)
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (100 if whole else 1000) + b"x" * 100)
        answer = client.read_response("POST")
    assert (answer.status, len(answer.body)) == (200, len(body)) and tidegate.api.failures_of_sides() == 0


def test_a_server_that_resets_behind_each_answer_is_not_taken_for_one_that_floods(lab):
    """RFC 9113 §8.1, as nginx and Go do it where they do not read a body."""
    def react(connection, frame):
        if kind(frame) == "Data" and "END_STREAM" in frame.flags:
            origin.send(connection, headers(frame.stream_id, OK, "END_STREAM") + RstStreamFrame(frame.stream_id, NO_ERROR).serialize())
    origin = lab.keep(FrameOrigin(react))
    tidegate = proxy_to(lab, origin)
    client = lab.http2_client(tidegate)
    for _ in range(100):
        streams = [client.start("/", method="POST", body=b"xyz") for _ in range(50)]
        assert {client.finish(stream).status for stream in streams} == {200}
    assert not origin.seen("GoAway") and len(origin.connections) == 1 and tidegate.api.failures_of_sides() == 0


@pytest.mark.heavy
@pytest.mark.deadline(150)
def test_a_call_that_is_silent_for_long_is_not_asked_for_again_and_again_whether_it_is_there(lab):
    """gRPC's servers take the fourth PING without data within their five minutes for abuse, and end every call on the connection."""
    origin = lab.keep(FrameOrigin(lambda connection, frame: None))
    tidegate = proxy_to(lab, origin, {"timeouts": {"response_header": "5m"}})
    lab.client(tidegate).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    asked = lambda: sum(1 for frame in origin.frames if isinstance(frame, PingFrame))
    eventually(lambda: asked() == 1, "it is asked once", 45)
    stays(lambda: asked() == 1, "and no more soon", 40)


# --- what was never sent is nobody's failure

class Meeting:
    """A request meets the ends of idle connections: Tidegate is stopped, is sent both, and goes on."""

    def __init__(self, lab, method, goaway, connections):
        self.arrived, go = [], threading.Event()

        def react(connection, frame):
            if "END_STREAM" not in frame.flags:
                return
            self.arrived.append(connection)

            def answer():
                go.wait(20)
                with contextlib.suppress(OSError):
                    self.origin.send(connection, headers(frame.stream_id, OK, "END_STREAM"))
            threading.Thread(target=answer, daemon=True).start()
        self.origin = lab.keep(FrameOrigin(react, {MOST_STREAMS: 1}))
        self.tidegate = proxy_to(lab, self.origin)
        client = lab.http2_client(self.tidegate)
        streams = []
        for count in range(1, connections + 1):
            streams.append(client.start("/"))
            eventually(lambda: len(self.arrived) == count, f"{count} connections are busy")
        go.set()
        assert [client.finish(stream).status for stream in streams] == [200] * connections
        with self.tidegate.stopped():
            stream = client.start("/", method=method, body=b"abc" if method == "POST" else None)
            for connection in self.origin.connections[:connections]:
                if goaway:
                    self.origin.send(connection, GoAwayFrame(0, last_stream_id=1).serialize())
                connection.fin_that_arrives()   # what is sent there is still read
        self.status = client.finish(stream).status


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("goaway", [False, True], ids=["end", "goaway and end"])
@pytest.mark.parametrize("connections", [1, 2], ids=["one", "all of two"])
def test_a_request_that_meets_the_end_of_idle_connections_is_sent_on_another_and_only_there(lab, method, goaway, connections):
    """A server is restarted. Once in some hundred times, under load, the kernel tells of the ends a turn later, and then it has left already:
    so the first of five that did not."""
    for _ in range(5):
        met = Meeting(lab, method, goaway, connections)
        if met.status == 200 and len(met.arrived) == connections + 1:
            break
    assert met.status == 200
    assert len(met.arrived) == len(met.origin.connections) == connections + 1 and met.tidegate.api.failures_of_sides() == 0


class Corked(FrameOrigin):
    """What the first connection's server says at first comes in one segment with the end of the handshake (TLS 1.2)."""

    def __init__(self, react, first, **options):
        self.first = first
        super().__init__(react, **options)

    def _serve(self, connection):
        raw = connection.socket
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        with contextlib.suppress(OSError, Cut):
            connection.socket = self.tls.wrap_socket(raw, server_side=True)
            connection.socket.sendall(self.first if len(self.connections) == 1 else SettingsFrame(0).serialize())
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            connection._source.take(len(PREFACE))
            for frame in frames(lambda: connection._source.some(262144)):
                self.frames.append(frame)
                if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                    self.send(connection, SettingsFrame(0, flags=["ACK"]).serialize())
                self.react(connection, frame)
        connection.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("first", ["goaway", "no streams"])
def test_a_server_that_wants_no_request_as_soon_as_it_is_connected_to_is_asked_on_another_connection(lab, first, method):
    authority = Authority(lab.directory / "authority")
    said = SettingsFrame(0, settings={MOST_STREAMS: 0} if first == "no streams" else {}).serialize()
    if first == "goaway":
        said += GoAwayFrame(0, last_stream_id=0).serialize()
    tls = authority.server(authority.issue(), most=ssl.TLSVersion.TLSv1_2, alpn=["h2"])
    origin = lab.keep(Corked(answers(lambda: origin), said, tls=tls))
    tidegate = proxy_to(lab, origin, {"tls": {"ca": authority.ca, "sni": "localhost"}})
    client = lab.http2_client(tidegate)
    assert client.request("/", method=method, body=b"abc" if method == "POST" else None).status == 200
    assert len(origin.connections) == 2 and tidegate.api.failures_of_sides() == 0


# --- a server that resets the connection behind what it has answered

class Leaving(FrameOrigin):
    """Its first connection reads nothing more when go() is told a frame, answers the first request with "whole" once .may_go, and is reset."""

    def __init__(self, leaves_at, head_first=True, settings=None, **options):
        self.leaves_at, self.head_first = leaves_at, head_first
        self.may_go, self.gone = threading.Event(), threading.Event()
        super().__init__(self._react, settings, **options)

    def _react(self, connection, frame):
        if connection is not self.connections[0]:
            if kind(frame) == "Headers":
                self.send(connection, headers(frame.stream_id, OK, "END_STREAM"))
            return
        if kind(frame) == "Headers" and frame.stream_id == 1:
            self.send(connection, WindowUpdateFrame(0, 2**30).serialize() + (headers(1, OK) if self.head_first else b""))
        if kind(frame) == self.leaves_at and not self.gone.is_set():
            self.may_go.wait(20)
            self.send(connection, (b"" if self.head_first else headers(1, OK)) + data(1, b"whole", "END_STREAM"))
            connection.rst()
            self.gone.set()

    @classmethod
    def started(cls, lab, secure, *args):
        """-> (origin, a proxy to it)"""
        if not secure:
            origin = lab.keep(cls(*args))
            return origin, proxy_to(lab, origin)
        authority = Authority(lab.directory / "authority")
        origin = lab.keep(cls(*args, tls=authority.server(authority.issue(), alpn=["h2"])))
        return origin, proxy_to(lab, origin, {"tls": {"ca": authority.ca, "sni": "localhost"}})


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("head_first", [True, False], ids=["body", "head and body"])
def test_a_whole_answer_is_delivered_though_an_upload_cannot_be_sent_to_the_connection_that_was_reset_behind_it(lab, head_first, secure):
    origin, tidegate = Leaving.started(lab, secure, "Data", head_first, {WINDOW: 2**31 - 1})
    client = known(lab.http2_client(tidegate))
    stream = client.start("/")
    eventually(lambda: origin.seen("Headers"), "asked")
    while head_first and not client._parts[stream]["status"]:
        assert client._take(client.peer.events())
    upload = lab.client(tidegate, timeout=1)
    upload.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
    with pytest.raises(TimeoutError):   # neither end takes more
        while True:
            upload.socket.send(b"x" * 262144)
    with tidegate.stopped():
        origin.may_go.set()
        assert origin.gone.wait(20)
    answer = client.finish(stream)
    assert (answer.status, answer.body, answer.reset) == (200, b"whole", None)
    assert upload.read_response().status == 502 and len(origin.seen("Headers")) == 2, "what was sent in part is not sent again"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_posts_of_which_not_a_byte_could_be_sent_are_sent_on_another_connection_and_answers_before_the_reset_arrive(lab, secure):
    """They find the connection reset before the turn that would read so: the clients' events fill one."""
    origin, tidegate = Leaving.started(lab, secure, "Headers", True, {MOST_STREAMS: 1000})
    client = known(lab.http2_client(tidegate))
    stream = client.start("/")
    while not client._parts[stream]["status"]:
        assert client._take(client.peer.events())
    others = [lab.client(tidegate) for _ in range(EVENTS_A_TURN + 44)]
    eventually(lambda: tidegate.api.metric("tidegate_downstream_connections") == len(others) + 1, "each accepted")
    with tidegate.stopped():
        for other in others:
            other.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        origin.may_go.set()
        assert origin.gone.wait(20)
    answer = client.finish(stream)
    assert (answer.status, answer.body, answer.reset) == (200, b"whole", None)
    assert {other.read_response().status for other in others} == {200}
    assert len(origin.seen("Headers")) == 1 + len(others) and tidegate.api.failures_of_sides() == 0


# --- who waits

def burst(lab, tidegate, count):
    """As many requests of two clients in one turn. -> (client, stream) each"""
    clients = [known(lab.http2_client(tidegate)) for _ in range(2)]
    with tidegate.stopped():
        return [(client, client.start("/")) for client in clients for _ in range(count // 2)]


@pytest.mark.parametrize("limit", [10, 99])
def test_a_burst_on_a_new_connection_is_not_more_than_the_server_allows(lab, limit):
    """What it allows is in its first frame."""
    open_, lock, refused = {}, threading.Lock(), []

    def react(connection, frame):
        if kind(frame) != "Headers":
            return
        with lock:
            mine = open_.setdefault(connection.index, set())
            if len(mine) >= limit:
                refused.append(frame.stream_id)
                return origin.send(connection, RstStreamFrame(frame.stream_id, REFUSED_STREAM).serialize())
            mine.add(frame.stream_id)

        def answer():
            with lock:
                mine.discard(frame.stream_id)
            with contextlib.suppress(OSError):
                origin.send(connection, headers(frame.stream_id, OK, "END_STREAM"))
        threading.Timer(0.05, answer).start()
    origin = lab.keep(FrameOrigin(react, {MOST_STREAMS: limit}))
    tidegate = proxy_to(lab, origin)
    assert {client.finish(stream).status for client, stream in burst(lab, tidegate, 160)} == {200}
    assert not refused and tidegate.api.failures_of_sides() == 0


@pytest.mark.parametrize("settings, pool, count", [({MOST_STREAMS: 100}, {}, 150), ({}, {"requests_per_connection": 2}, 10)],
                         ids=["streams", "requests_per_connection"])
def test_long_requests_that_the_first_connection_has_no_place_for_get_others_at_once(lab, settings, pool, count):
    arrived = []
    origin = lab.keep(FrameOrigin(lambda connection, frame: arrived.append(frame) if kind(frame) == "Headers" else None, settings))
    tidegate = proxy_to(lab, origin, {"pool": pool})
    burst(lab, tidegate, count)
    eventually(lambda: len(arrived) == count, f"{count} requests, none of which ends")


def test_a_server_that_never_says_what_it_allows_gets_all_that_wait_after_the_time_to_connect(lab):
    class Silent(FrameOrigin):
        def _converse(self, connection):
            connection._source.take(len(PREFACE))
            for frame in frames(lambda: connection._source.some(262144)):
                self.frames.append(frame)
    origin = lab.keep(Silent(None))
    tidegate = proxy_to(lab, origin, {"timeouts": {"connect": "1s", "response_header": "20s"}})
    burst(lab, tidegate, 20)
    eventually(lambda: len(origin.seen("Headers")) == 20, "all of them")
    assert len(origin.connections) == 1


class Held(FrameOrigin):
    """Never ends its first stream, and answers every other one at once. .held: (connection, stream)."""

    def __init__(self, settings=None, **options):
        self.held = []
        super().__init__(self._react, settings, **options)

    def _react(self, connection, frame):
        if kind(frame) != "Headers":
            return
        if self.held:
            return self.send(connection, headers(frame.stream_id, OK, "END_STREAM"))
        self.held.append((connection, frame.stream_id))
        self.send(connection, headers(frame.stream_id, OK))


def ask(lab, tidegate):
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return client


def begin_long(lab, tidegate, origin):
    ask(lab, tidegate)
    eventually(lambda: origin.held, "the long one")


def wait_behind(lab, tidegate):
    waiting = ask(lab, tidegate)
    eventually(lambda: tidegate.api.route()["in_flight"] == 2, "another waits")
    return waiting


ONE = {"pool": {"connections": 1}}


def test_who_waits_already_when_goaway_comes_gets_another_connection(lab):
    origin = lab.keep(Held({MOST_STREAMS: 1}))
    tidegate = proxy_to(lab, origin, ONE)
    begin_long(lab, tidegate, origin)
    waiting = wait_behind(lab, tidegate)
    origin.send(origin.held[0][0], GoAwayFrame(0, last_stream_id=2**31 - 1).serialize())
    assert waiting.read_response().status == 200


def test_a_connection_that_has_carried_all_that_it_may_and_carries_a_long_stream_keeps_nobody_waiting(lab):
    origin = lab.keep(Held())
    tidegate = proxy_to(lab, origin, {"pool": {"connections": 1, "requests_per_connection": 2}})
    begin_long(lab, tidegate, origin)
    assert [ask(lab, tidegate).read_response().status for _ in range(3)] == [200] * 3


def test_who_waits_already_when_the_address_goes_gets_a_connection_to_the_new_one(lab):
    names = lab.name_server(dns.a("127.0.0.1", 1))
    origin = lab.keep(Held({MOST_STREAMS: 1}))
    port = int(origin.address.rsplit(":", 1)[1])
    other = lab.keep(FrameOrigin(answers(lambda: other), host="127.0.0.2", port=port))
    tidegate = proxy_to(lab, f"api.test:{port}", ONE, dns={"servers": [names.address]})
    begin_long(lab, tidegate, origin)
    waiting = wait_behind(lab, tidegate)
    names.answers(dns.a("127.0.0.2", 60))
    assert waiting.read_response().status == 200


def test_who_waits_for_a_busy_address_does_not_share_the_failure_of_another(lab):
    origin = lab.keep(Held({MOST_STREAMS: 1}))
    hangs = never_connects(lab.keep)
    for _ in range(20):  # until the first one goes to the address that is well
        tidegate = proxy_to(lab, origin, {"endpoints": [origin.address, hangs], "pool": {"connections": 2}, "timeouts": {"connect": "1s"}})
        first = ask(lab, tidegate)
        eventually(lambda: origin.held or tidegate.api.failures_of_sides() == 1, "it is there, or has failed")
        if origin.held:
            break
        assert first.read_response().status == 502
    others = [ask(lab, tidegate) for _ in range(16)]
    eventually(lambda: tidegate.api.failures_of_sides() > 0, "those that wait for the one that hangs have failed")
    connection, stream = origin.held[0]
    origin.send(connection, data(stream, b"", "END_STREAM"))
    statuses = [client.read_response().status for client in others]
    assert set(statuses) <= {200, 502} and statuses.count(200) > 0


def test_who_waits_for_a_connection_that_lives_does_not_fail_because_another_cannot_be_made(lab):
    class Lonely(Held):
        def _converse(self, connection):
            self.listener.shutdown(socket.SHUT_RDWR)  # nobody else is let in
            super()._converse(connection)
    origin = lab.keep(Lonely({MOST_STREAMS: 1}))
    tidegate = proxy_to(lab, origin)
    clients = [lab.client(tidegate) for _ in range(8)]
    with tidegate.stopped():
        for client in clients:
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: origin.held and tidegate.api.failures_of_sides() > 0, "one who tried another")
    connection, stream = origin.held[0]
    origin.send(connection, data(stream, b"", "END_STREAM"))
    statuses = [client.read_response().status for client in clients]
    assert sorted(statuses) == [200] * 7 + [502]


def test_connections_that_are_used_up_and_busy_are_at_most_as_many_again_as_the_pool_may_have(lab):
    origin = lab.keep(FrameOrigin(lambda connection, frame: None))
    tidegate = proxy_to(lab, origin, {"pool": {"connections": 2, "requests_per_connection": 1, "pending": 5}})
    for _ in range(20):
        lab.client(tidegate).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    refused = lambda: tidegate.api.metric("http_requests_total", status="503", side="old")
    eventually(lambda: refused() + tidegate.api.route()["in_flight"] == 20, "each is refused or waits")
    assert refused() >= 20 - 2 * 2 - 5 and len(origin.connections) <= 2 * 2


def test_requests_that_a_busy_connection_takes_with_it_are_failures_of_the_side(lab):
    """No server closes a connection for being idle while it carries others: of a pod that dies each of its requests counts, saved or not."""
    asked = []

    def react(connection, frame):
        if kind(frame) != "Headers":
            return
        asked.append(frame.stream_id)
        if len(asked) == 1 or len(asked) > 11:
            new.send(connection, headers(frame.stream_id, OK) + data(frame.stream_id, b"new", "END_STREAM"))
        elif len(asked) == 11:
            new.send(connection, headers(frame.stream_id, OK) + data(frame.stream_id, b"new", "END_STREAM"))
            connection.fin()

    new = lab.keep(FrameOrigin(react))
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), new, weight=100, workers=1, new_cluster={"protocol": "http2"},
                         route={"retry": {"retries": 1, "budget": "100%"}, "gate": {"on_fail": "notify"}})
    assert lab.client(tidegate).get("/").text == "new"
    clients = [lab.client(tidegate) for _ in range(10)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert {client.read_response().text for client in clients} <= {"old", "new"}
    tidegate.api.counts(9, "tidegate_upstream_failures_total", cluster="new", reason="reset")


def test_a_server_that_breaks_the_protocol_is_told_so(lab):
    origin = lab.keep(FrameOrigin(lambda connection, frame: origin.send(connection, data(2, b"x")) if kind(frame) == "Headers" else None))
    tidegate = proxy_to(lab, origin)
    assert lab.client(tidegate).get("/").status == 502
    goaway, = eventually(lambda: origin.seen("GoAway"), "GOAWAY")
    assert goaway.error_code == 1
