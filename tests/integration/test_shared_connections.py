"""What one does to an HTTP/2 connection that many share must not be felt by the others; requests that wait for a connection of a
pool; and whose failure it is. Each test is a bug that there was."""
import os
import shutil
import threading

import pytest
from hyperframe.frame import HeadersFrame, PingFrame, RstStreamFrame

from harness import Authority, dns, eventually, ok, serve, stays
from harness.faults import never_connects
from harness.frames import GET, OK, FrameOrigin, data, frames_of, headers, kind
from harness.http2 import Http2Origin

pytestmark = pytest.mark.one_worker

HANDSHAKE = ("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
CONNECT = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
NO_RETRY = {"retry": {"retries": 0}}
INTERNAL_ERROR, CANCEL = 2, 8
WINDOW = 65535      # of a stream that is new, as clients have it


def answering(body):
    return lambda request: (200, [], body, None)


class SilentOrigin(Http2Origin):
    """Answers /held never, and /long with a head alone; the others by its handler. .held: those that came."""

    def __init__(self, handler, streams=None):
        """@param streams that it allows at a time"""
        self.streams, self.held = streams, []
        super().__init__(handler)

    def _answer(self, peer, connection):
        if self.streams:
            peer.h2.update_settings({3: self.streams})
            peer.flush()
        super()._answer(peer, connection)

    def _begin(self, peer, stream, parts, waiting):
        path = dict(parts[0])[":path"]
        if path not in ("/held", "/long"):
            return super()._begin(peer, stream, parts, waiting)
        self.held.append(path)
        if path == "/long":
            peer.h2.send_headers(stream, [(":status", "200")])


def nothing_failed(tidegate, requests):
    """@param requests that were answered so far: they are counted a moment later"""
    tidegate.api.counts(requests, "http_requests_total")
    assert tidegate.api.failures_of_sides() == 0


# --- the upstream connection that clients share

class WindowedOrigin(Http2Origin):
    """Says when it has sent all that the windows allow."""

    def __init__(self, handler):
        self.peers = []
        super().__init__(handler)

    def _answer(self, peer, connection):
        self.peers.append((peer, set()))
        super()._answer(peer, connection)

    def _begin(self, peer, stream, parts, waiting):
        if dict(parts[0])[":path"].startswith("/large"):
            next(streams for one, streams in self.peers if one is peer).add(stream)
        super()._begin(peer, stream, parts, waiting)

    def is_stalled(self, streams):
        return (sum(len(own) for _, own in self.peers) == streams
                and all(peer.h2.local_flow_control_window(stream) == 0 for peer, own in self.peers for stream in set(own)))


def test_a_client_that_does_not_read_many_responses_does_not_stall_those_of_others(lab):
    large = b"x" * 200_000
    to = lab.keep(WindowedOrigin(lambda request: (200, [], large if "large" in request.path else b"y" * 1000, None)))
    tidegate = lab.proxy(to, to, listener={"h2c": True}, cluster={"protocol": "http2"})
    slow = lab.http2_client(tidegate)
    slow.peer.h2.update_settings({4: 0})    # INITIAL_WINDOW_SIZE
    slow.peer.flush()
    slow._take(slow.peer.events())
    for i in range(20):
        slow.start(f"/large{i}")
    eventually(lambda: to.is_stalled(20), "20 responses that nobody reads")
    other = lab.http2_client(tidegate, timeout=10)
    for _ in range(3):
        answer = other.get("/small")
        assert (answer.status, len(answer.body), answer.reset) == (200, 1000, None)
    slow.close()
    nothing_failed(tidegate, 23)


def upload(client, path, size, of=None):
    """Begins one of `of` bytes, and sends so many of it as soon as the windows allow. @return the stream"""
    stream = client.start(path, method="POST", headers=[("content-length", str(of or size))], end=False)
    send_rest(client, stream, size, of is None)
    return stream


def send_rest(client, stream, size, end=True):
    h2 = client.peer.h2
    while size > 0:
        part = min(h2.local_flow_control_window(stream), h2.max_outbound_frame_size, size)
        if part > 0:
            size -= part
            h2.send_data(stream, b"x" * part, end_stream=end and size == 0)
            client.peer.flush()
        else:
            assert client._take(client.peer.events())


def sizes(connection):
    while request := connection.read_request():
        connection.send(ok(str(len(request.body))))


def test_uploads_that_wait_for_a_connection_do_not_stall_the_one_that_has_it(lab):
    """More than the connection's window holds: 1 MiB (http/h2_limits.h)."""
    origin = lab.origin(sizes)
    tidegate = lab.proxy(origin, listener={"h2c": True}, cluster={"pool": {"connections": 1}})
    client = lab.http2_client(tidegate, timeout=5)
    client._take(client.peer.events())
    first = upload(client, "/", 10_000, 300_000)
    eventually(lambda: origin.connections, "it has the connection")
    waiting = [upload(client, "/", WINDOW) for _ in range(17)]
    send_rest(client, first, 290_000)
    assert client.finish(first).body == b"300000"
    assert {client.finish(stream).body for stream in waiting} == {str(WINDOW).encode()}


def test_uploads_to_a_side_that_hangs_do_not_stall_one_to_a_side_that_is_well(lab):
    over = threading.Event()
    hangs = lab.origin(lambda connection: (connection.read_head(), over.wait(30)), record=False)
    tidegate = lab.proxy(lab.origin(sizes), hangs, listener={"h2c": True}, new_cluster={"pool": {"connections": 1}},
                         routes=[{"name": "new", "match": {"path": {"prefix": "/new"}}, "weight": 100, "gate": {"on_fail": "notify"}},
                                 {"name": "old", "weight": 0}])
    client = lab.http2_client(tidegate, timeout=5)
    client._take(client.peer.events())
    for _ in range(18):
        upload(client, "/new", WINDOW)
    assert client.finish(upload(client, "/old", 100_000)).body == b"100000"
    over.set()


@pytest.mark.several_threads
def test_clients_that_cancel_do_not_end_the_upstream_connection_that_they_share_with_others(lab):
    """Answers that cross a cancel are late on a stream that is over: thousands of them are no attack of the server's."""
    begun, cancelled = [], []

    def react(connection, frame):
        if kind(frame) == "Headers":
            begun.append(frame.stream_id)
        elif kind(frame) == "RstStream":
            to.send(connection, headers(frame.stream_id, OK) + data(frame.stream_id, b"a" * 10, "END_STREAM"))
            cancelled.append(frame.stream_id)

    def is_ended():
        return to.seen("GoAway") or len(to.connections) != 1 or to.open_connections() != 1

    to = lab.keep(FrameOrigin(react))
    tidegate = lab.proxy(to, to, listener={"h2c": True}, cluster={"protocol": "http2", "pool": {"connections": 1}}, route=NO_RETRY)
    victim = lab.http2_client(tidegate)
    waits = victim.start(method="POST", body=b"x")
    eventually(lambda: begun, "the request of the one who does not cancel")
    for _ in range(3):
        leaving = lab.http2_client(tidegate)
        for _ in range(7):
            before, gone = len(begun), len(cancelled)
            streams = [leaving.start(f"/{i}") for i in range(80)]
            eventually(lambda: len(begun) == before + 80 or is_ended(), "80 requests at the origin")
            for stream in streams:
                leaving.peer.h2.reset_stream(stream, CANCEL)
            leaving.peer.flush()
            eventually(lambda: len(cancelled) == gone + 80 or is_ended(), "80 cancels at the origin")
            assert not is_ended(), to.seen("GoAway")
    to.send(to.connections[0], headers(begun[0], OK, "END_STREAM"))
    assert victim.finish(waits).status == 200
    assert tidegate.api.failures_of_sides() == 0


@pytest.mark.several_threads
@pytest.mark.parametrize("changed", ["ca", "cert"])
def test_new_tls_files_of_a_cluster_let_exchanges_over_http2_end_and_serve_later_ones(lab, tmp_path, changed):
    authority = Authority(tmp_path / "pki")
    release = threading.Event()

    def handler(request):
        if request.method == "POST":
            release.wait(20)
        return (200, [], b"whole", None)

    files = {name: str(tmp_path / f"in-use.{name}") for name in ("ca", "cert", "key")}

    def install(identity):
        """By rename, the key first: it is read again when the last of them is there."""
        for source, name in ((identity.key, "key"), (identity.cert, "cert")):
            shutil.copy(source, files[name] + ".new")
            os.rename(files[name] + ".new", files[name])

    shutil.copy(authority.ca, files["ca"])
    install(authority.issue())
    to = lab.alpn_origin(handler, tls=authority.server(authority.issue(), alpn=["h2"]))
    tidegate = lab.proxy(to, to, cluster={"protocol": "http2", "tls": files}, route=NO_RETRY)
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
    eventually(lambda: to.requests, "the request at the origin")
    if changed == "cert":
        install(authority.issue())
    else:
        with open(files["ca"] + ".new", "w") as out:
            for one in (authority, Authority(tmp_path / "second")):
                with open(one.ca) as part:
                    out.write(part.read())
        os.rename(files["ca"] + ".new", files["ca"])
    tidegate.logs("cluster old: its TLS files were read again")

    def served_anew():
        assert lab.client(tidegate).get("/").status == 200
        return len(to.connections) == 2

    eventually(served_anew, "a later request over another connection")
    release.set()
    answer = client.read_response()
    assert (answer.status, answer.body) == (200, b"whole")
    assert tidegate.api.failures_of_sides() == 0


def test_a_cancel_and_a_request_that_meet_at_the_upstreams_limit_of_streams_are_both_served(lab):
    to = lab.keep(SilentOrigin(answering(b"x"), streams=1))
    tidegate = lab.proxy(to, to, listener={"h2c": True}, cluster={"protocol": "http2"}, route=NO_RETRY)
    assert lab.http2_client(tidegate).get("/").status == 200
    for turn in range(10):
        leaving, coming = lab.http2_client(tidegate), lab.http2_client(tidegate)
        held = leaving.start("/held")
        eventually(lambda: len(to.held) == turn + 1, "the stream at its place")
        with tidegate.stopped():
            leaving.peer.h2.reset_stream(held, CANCEL)
            leaving.peer.flush()
            stream = coming.start("/")
        assert coming.finish(stream).status == 200, turn
    nothing_failed(tidegate, 21)


def test_a_stream_that_the_upstream_resets_for_an_error_is_one_failure_and_not_repeated_for_free(lab):
    """Unlike one on a connection that went while it was idle."""
    def react(connection, frame):
        if kind(frame) == "Headers":
            asked.append(frame.stream_id)
            fails = len(asked) % 2 == 0
            to.send(connection, RstStreamFrame(frame.stream_id, INTERNAL_ERROR).serialize() if fails
                    else headers(frame.stream_id, OK, "END_STREAM"))

    asked = []
    to = lab.keep(FrameOrigin(react))
    tidegate = lab.proxy(to, to, listener={"h2c": True}, cluster={"protocol": "http2"}, route=NO_RETRY)
    client = lab.http2_client(tidegate)
    assert [client.get("/").status for _ in range(10)] == [200, 502] * 5
    assert len(asked) == 10
    tidegate.api.counts(10, "http_requests_total")
    assert tidegate.api.metric("tidegate_upstream_failures_total", reason="reset") == 5 == tidegate.api.failures_of_sides()


def test_a_body_that_could_not_be_sent_whole_is_not_ended_as_if_it_were(lab):
    """The window stays shut for longer than the upload may rest; then it opens."""
    told, over = [], threading.Event()
    size = [0]

    def react(connection, frame):
        if kind(frame) == "Headers":
            to.send(connection, headers(frame.stream_id, OK))
            threading.Thread(target=go_on, args=(connection, frame.stream_id), daemon=True).start()
        elif kind(frame) == "Data":
            size[0] += len(frame.data)
        if kind(frame) == "RstStream" or "END_STREAM" in frame.flags:
            told.append((kind(frame), size[0]))
            over.set()

    def go_on(connection, stream):
        """The response moves all the time."""
        try:
            for _ in range(40):
                if over.wait(0.05):
                    return
                to.send(connection, data(stream, b"-"))
            for of in (0, stream):
                to.send(connection, b"\0\0\x04\x08\0" + of.to_bytes(4, "big") + (100_000).to_bytes(4, "big"))
            over.wait(20)
        except OSError:
            over.set()

    to = lab.keep(FrameOrigin(react))
    tidegate = lab.proxy(to, to, cluster={"protocol": "http2", "timeouts": {"idle": "500ms"}}, route=NO_RETRY)
    client = lab.client(tidegate)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % 65000 + b"z" * 65000 + b"\r\n")
    eventually(lambda: size[0] == 65000, "the first part at the origin")
    client.send(b"%x\r\n" % 1000 + b"z" * 1000 + b"\r\n0\r\n\r\n")
    assert over.wait(20), "it was never ended"
    assert told[0][0] == "RstStream" or told[0][1] == 66000, told


def test_of_a_burst_on_a_new_connection_only_what_it_has_a_place_for_is_the_sides_time(lab):
    """All of them left for it when it was made. Those that it has no place for wait here."""
    to = lab.keep(FrameOrigin(lambda connection, frame: None, {3: 1}))
    tidegate = lab.proxy(to, cluster={"protocol": "http2", "pool": {"connections": 1}}, route={"timeout": "500ms", **NO_RETRY}, workers=1)
    clients = [lab.client(tidegate) for _ in range(3)]
    with tidegate.stopped():
        for client in clients:
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert sorted(client.read_response().status for client in clients) == [503, 503, 504]
    assert tidegate.api.failures_of_sides() == 1


def test_those_of_a_burst_that_a_new_connection_has_no_place_for_are_asked_of_old_and_count_for_nobody(lab):
    """Not as failures of new, to which they never went, nor as its successes, which would speak for it."""
    to = lab.keep(FrameOrigin(lambda connection, frame: None, {3: 1}))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), to, weight=100, new_cluster={"protocol": "http2", "pool": {"connections": 1}}, workers=1,
                         route={"timeout": "20s", "gate": {"on_fail": "notify"},
                                "retry": {"retries": 1, "on": ["connect", "reset", "timeout"], "per_try_timeout": "300ms", "budget": "100%"}})
    clients = [lab.client(tidegate) for _ in range(8)]
    with tidegate.stopped():
        for client in clients:
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [client.read_response().text for client in clients] == ["old"] * 8
    new = lambda: tidegate.api.route()["gate"]["step"]["new"]
    eventually(lambda: new()["requests"] > 0 and new()["requests"] == new()["failures"], "only what had a place, each a timeout")
    assert new()["requests"] == len(to.seen("Headers"))


# --- what waits for a connection

@pytest.mark.several_threads
@pytest.mark.parametrize("up", ["http1", "http2"])
def test_a_request_whose_time_passes_while_it_waits_here_is_no_failure_of_the_side(lab, up):
    """Of the side that it never went to: the gate counts neither the request nor a failure."""
    release = threading.Event()
    arrived = []

    def hold(path):
        arrived.append(path)
        if path == "/held":
            release.wait(20)

    if up == "http1":
        def script(connection):
            while request := connection.read_request():
                hold(request.target)
                connection.send(ok("x"))
        to = lab.origin(script, record=False)
    else:
        to = lab.keep(SilentOrigin(answering(b"x"), streams=1))
        arrived = to.held
    tidegate = lab.proxy(to, to, cluster={"protocol": up, "pool": {"connections": 1}}, routes=[
        {"name": "held", "match": {"path": {"exact": "/held"}}, "weight": 100, **NO_RETRY},
        {"name": "all", "weight": 100, "timeout": "300ms", **NO_RETRY}])
    first = lab.client(tidegate)
    first.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: arrived == ["/held"], "the connection taken")
    for _ in range(3):
        assert lab.client(tidegate).get("/").status in (503, 504)
    tidegate.api.counts(3, "http_requests_total", route="all")
    assert tidegate.api.failures_of_sides() == 0 and arrived == ["/held"]

    def nothing_counted():
        step = tidegate.api.route("all")["gate"]["step"]["new"]
        return (step["requests"], step["failures"]) == (0, 0)

    stays(nothing_counted, "a gate that counts nothing")
    release.set()


def test_upgrades_wait_in_line_with_other_requests_on_a_cluster_of_http1(lab):
    """All of them need a connection of their own."""
    served, release = [], threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/held":
                release.wait(20)
            served.append(request.target)
            connection.send(ok("x"))

    to = lab.origin(script)
    tidegate = lab.proxy(to, to, cluster={"pool": {"connections": 1}})
    waiting = []

    def ask(what):
        client = lab.client(tidegate)
        client.send(what)
        waiting.append(client)
        eventually(lambda: tidegate.api.metric("tidegate_http_requests_in_flight") == len(waiting), "it in line")

    ask("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    for i in range(3):
        ask(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(3):
        ask(HANDSHAKE % "websocket")
    release.set()
    assert all(client.read_response().status == 200 for client in waiting)
    assert served == ["/held", "/0", "/1", "/2", "/chat", "/chat", "/chat"]


@pytest.fixture
def auto(lab):
    """A cluster of protocol auto with one connection, to servers that offer both: .tidegate .origin .release"""
    class Auto:
        release = threading.Event()
        authority = Authority(lab.directory / "pki")
        tls = authority.server(authority.issue(), alpn=["h2", "http/1.1"])

    def handler(request):
        if request.path == "/held":
            Auto.release.wait(20)
        return (200, [], request.headers.get("upgrade", "plain").encode(), None)

    Auto.origin = lab.alpn_origin(handler, tls=Auto.tls)
    Auto.tidegate = lab.proxy(Auto.origin, cluster={"protocol": "auto", "tls": {"ca": Auto.authority.ca}, "pool": {"connections": 1}},
                              route=NO_RETRY)
    yield Auto
    Auto.release.set()


def test_a_connection_of_http2_that_nobody_uses_is_given_up_for_a_websocket(lab, auto):
    """A WebSocket needs one of HTTP/1.1, and there is room for one."""
    for _ in range(2):
        assert lab.client(auto.tidegate).get("/").body == b"plain"
        client = lab.client(auto.tidegate)
        client.send(HANDSHAKE % "websocket")
        assert client.read_response().body == b"websocket", "the server's own answer, over HTTP/1.1"
    nothing_failed(auto.tidegate, 4)


def test_a_websocket_that_streams_leave_no_connection_to_is_told_so_at_once(lab, auto):
    """They may be there for hours: 503, not the route's timeout of 30 s."""
    busy = lab.client(auto.tidegate)
    busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: auto.origin.requests, "the stream in use")
    client = lab.client(auto.tidegate)
    client.send(HANDSHAKE % "websocket")
    assert client.read_response().status == 503
    auto.release.set()
    assert busy.read_response().status == 200
    nothing_failed(auto.tidegate, 2)


def test_a_connection_that_got_goaway_and_carries_a_long_stream_keeps_nobody_waiting(lab):
    to = lab.keep(SilentOrigin(answering(b"x")))
    tidegate = lab.proxy(to, to, listener={"h2c": True}, cluster={"protocol": "http2", "pool": {"connections": 1}},
                         route={"timeout": "5s", **NO_RETRY})
    long = lab.http2_client(tidegate)
    long.start("/long")
    eventually(lambda: to.held, "the long stream")
    client = lab.client(tidegate)
    with tidegate.stopped():
        to.announce_goaway(to.connections[0])
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.read_response().status == 200
    assert len(to.connections) == 2 and tidegate.api.failures_of_sides() == 0


# --- WebSockets to an upstream of HTTP/2 that does not offer RFC 8441

EAGER = {"gate": {"breaker": {"requests": 10, "for": "0s"}}, **NO_RETRY}     # ten failures would be enough


def untouched(tidegate, requests):
    nothing_failed(tidegate, requests)
    stays(lambda: not tidegate.api.route()["latched"], "a route that is not reverted")


def test_an_upgrade_to_an_upstream_without_tunnels_over_http2_is_an_ordinary_request(lab):
    """RFC 9110 7.8: a server may ignore it."""
    new = lab.http2_origin(answering(b"new"))
    tidegate = lab.proxy(lab.http2_origin(answering(b"old")), new, weight=100, cluster={"protocol": "http2"}, route=EAGER)
    client = lab.client(tidegate)
    for _ in range(30):
        client.send(HANDSHAKE % "websocket")
        answer = client.read_response()
        assert (answer.status, answer.body, answer.get("upgrade")) == (200, b"new", None)
    asked = new.requests[-1]
    assert len(new.requests) == 30 and asked.method == "GET" and not {"upgrade", "connection", ":protocol"} & set(asked.headers)
    untouched(tidegate, 30)


def test_an_extended_connect_to_an_upstream_without_tunnels_over_http2_is_refused_with_501(lab):
    new = lab.http2_origin(answering(b"new"))
    tidegate = lab.proxy(lab.http2_origin(answering(b"old")), new, weight=100, listener={"h2c": True}, cluster={"protocol": "http2"},
                         route=EAGER)
    client = lab.http2_client(tidegate)
    for _ in range(30):
        assert client.finish(client.start(method="CONNECT", headers=CONNECT, end=False)).status == 501
    assert not new.requests
    untouched(tidegate, 30)


# --- the client's connection

def test_the_orderly_end_of_a_tunnel_is_end_stream_to_a_client_of_http2(lab):
    def script(connection):
        connection.read_head()
        connection.send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        while connection._more():
            pass
        connection.send(b"bye")
        connection.fin()

    to = lab.origin(script, record=False)
    client = lab.http2_client(lab.proxy(to, to, listener={"h2c": True}, route={"upgrade": {"protocols": ["echo"]}}))
    stream = client.start(method="CONNECT", headers=[(":protocol", "echo")], end=False)
    while not client._parts[stream]["status"]:
        client._take(client.peer.events())
    client.peer.h2.end_stream(stream)
    client.peer.flush()
    got = []
    for frame in frames_of(client):
        if kind(frame) == "Ping":
            break
        if frame.stream_id == stream and kind(frame) != "WindowUpdate":
            got.append((kind(frame), getattr(frame, "data", None), "END_STREAM" in frame.flags))
            if kind(frame) == "RstStream" or "END_STREAM" in frame.flags:   # what is said of the stream after it comes before the answer
                client.peer.socket.sendall(PingFrame(0, b"the last").serialize())
    assert b"".join(body or b"" for _, body, _ in got) == b"bye"
    assert {what for what, _, _ in got} == {"Data"} and [end for _, _, end in got].count(True) == 1, got


@pytest.mark.parametrize("first", ["client", "server"])
def test_the_orderly_end_of_a_tunnel_is_end_stream_to_a_server_of_http2(lab, first):
    """Whoever ends first."""
    def react(connection, frame):
        if kind(frame) == "Headers":
            end = ["END_STREAM"] if first == "server" else []
            to.send(connection, headers(frame.stream_id, OK) + data(frame.stream_id, b"hello", *end))
        elif kind(frame) == "Data" and "END_STREAM" in frame.flags and first == "client":
            to.send(connection, data(frame.stream_id, b"", "END_STREAM"))

    def ends(stream):
        return [kind(frame) for frame in list(to.frames) if frame.stream_id == stream
                and (kind(frame) == "RstStream" or "END_STREAM" in frame.flags)]

    to = lab.keep(FrameOrigin(react, settings={8: 1}))  # ENABLE_CONNECT_PROTOCOL
    tidegate = lab.proxy(to, to, cluster={"protocol": "http2"}, route={"upgrade": {"protocols": ["echo"]}})
    for turn in range(2):   # in the second what belongs to the first has come
        client = lab.client(tidegate)
        client.send(HANDSHAKE % "echo")
        client.read_informational()
        assert client._source.take(5) == b"hello"
        if first == "client":
            client.fin()
        assert client.read_until_close() == b""
        if first == "server":
            client.fin()
        eventually(lambda: ends(2 * turn + 1), "the end at the server")
    assert (ends(1), ends(3)) == (["Data"], ["Data"]) and len(to.connections) == 1


def frames_until_the_end(client, write, seconds=20):
    """Writes again and again while the connection lasts. @return the kinds of frames that came"""
    came, ended = [], threading.Event()

    def read():
        try:
            came.extend(kind(frame) for frame in frames_of(client))
        except OSError:
            pass
        ended.set()

    def is_over():
        try:
            client.peer.socket.sendall(write())
        except OSError:
            pass
        return ended.is_set()

    threading.Thread(target=read, daemon=True).start()
    eventually(is_over, "the end of the connection", seconds, 0.05)
    return came


def test_a_head_over_http2_that_comes_in_drops_is_ended_by_the_timeout_of_heads(lab):
    tidegate = lab.proxy(lab.origin(lambda c: c.read_request()), listener={"h2c": True, "timeouts": {"header": "500ms"}})
    client = lab.http2_client(tidegate)
    client._take(client.peer.events())
    client.peer.socket.sendall(HeadersFrame(1, GET[:2], flags=["END_STREAM"]).serialize())
    of_10000_bytes = (10_000).to_bytes(3, "big") + b"\x09\x04\0\0\0\x01"    # CONTINUATION
    client.peer.socket.sendall(of_10000_bytes + GET[2:] + b"\0\1x\x7f\xa9\x45")     # "x" with a value of 9,000
    frames_until_the_end(client, lambda: b"a")


def test_pings_do_not_keep_a_connection_without_streams(lab):
    tidegate = lab.proxy(lab.http2_origin(answering(b"x")), cluster={"protocol": "http2"},
                         listener={"h2c": True, "timeouts": {"idle": "500ms"}})
    client = lab.http2_client(tidegate)
    assert client.get("/").status == 200
    assert "GoAway" in frames_until_the_end(client, lambda: PingFrame(0, b"12345678").serialize())


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_attempts_that_wait_for_the_same_connection_are_over_their_time_together_and_not_one_after_the_other(lab, protocol):
    """per_try_timeout: a connection that is made included. 40 one after the other would take 40 s."""
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), never_connects(lab.keep), weight=100, cluster={"timeouts": {"connect": "20s"}},
                         new_cluster={"protocol": protocol, "timeouts": {"connect": "20s"}},
                         route={"retry": {"on": ["timeout"], "per_try_timeout": "1s", "budget": "100%"}, "gate": {"on_fail": "notify"}})
    clients = [lab.client(tidegate, timeout=15) for _ in range(40)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [client.read_response().text for client in reversed(clients)] == ["old"] * 40
    new = lambda: tidegate.api.route()["gate"]["step"]["new"]
    eventually(lambda: (new()["requests"], new()["failures"]) == (40, 40), "each of them counted")
    eventually(lambda: tidegate.api.metric("tidegate_upstream_connections", cluster="new", state="active") == 0, "nothing is left of it")


class SlowToBegin(Http2Origin):
    """Its handshakes wait for .go_on. .begun: the connections."""

    def __init__(self, handler, **more):
        self.go_on, self.begun = threading.Event(), []
        super().__init__(handler, **more)

    def _serve(self, connection):
        self.begun.append(connection)
        self.go_on.wait(20)
        super()._serve(connection)


def slow_to_begin(lab, to=lambda origin: origin, **options):
    authority = Authority(lab.directory / "authority")
    origin = lab.keep(SlowToBegin(answering(b"fine"), tls=authority.server(authority.issue(), alpn=["h2"])))
    tidegate = lab.proxy(to(origin), cluster={"protocol": "http2", "tls": {"ca": authority.ca, "sni": "localhost"},
                                              "timeouts": {"connect": "20s"}}, **options)
    return origin, tidegate


def test_an_upgrade_that_waits_for_a_connection_is_told_when_that_turns_out_to_be_of_http2_and_in_use(lab):
    """It can carry no upgrade, and there may be no other: 503, as for one that comes later."""
    release, authority = threading.Event(), Authority(lab.directory / "authority")

    def handler(request):
        release.wait(20)
        return answering(b"fine")(request)
    origin = lab.keep(SlowToBegin(handler, tls=authority.server(authority.issue(), alpn=["h2"])))
    tidegate = lab.proxy(origin, route={"timeout": "20s", **NO_RETRY, "upgrade": {"protocols": ["websocket"]}},
                         cluster={"protocol": "auto", "tls": {"ca": authority.ca, "sni": "localhost"}, "pool": {"connections": 1},
                                  "timeouts": {"connect": "20s"}})
    first = lab.client(tidegate)
    first.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    eventually(lambda: len(origin.begun) == 1, "the handshake")
    client = lab.client(tidegate)
    client.send(HANDSHAKE % "websocket")
    eventually(lambda: tidegate.api.route()["in_flight"] == 2, "who waits")
    origin.go_on.set()
    assert client.read_response().status == 503
    release.set()
    assert first.read_response().text == "fine"


def test_a_client_that_leaves_does_not_end_the_connection_that_others_wait_for(lab):
    """Over HTTP/2 one connection is made for all who wait."""
    origin, tidegate = slow_to_begin(lab)
    clients = [lab.client(tidegate) for _ in range(3)]
    for turn, client in enumerate(clients):
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: len(origin.begun) == 1 and tidegate.api.route()["in_flight"] == turn + 1, "the handshake, and who waits for it")
    clients[0].rst()
    eventually(lambda: tidegate.api.route()["in_flight"] == 2, "the first one has left")
    origin.go_on.set()
    assert [client.read_response().text for client in clients[1:]] == ["fine"] * 2
    assert len(origin.begun) == 1, "they went on with the connection that was being made"
    assert tidegate.api.failures_of_sides() == 0


def test_a_connection_that_nobody_waits_for_any_more_is_not_made(lab):
    origin, tidegate = slow_to_begin(lab)
    clients = [lab.client(tidegate) for _ in range(3)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    eventually(lambda: len(origin.begun) == 1 and tidegate.api.route()["in_flight"] == 3, "the handshake, and who waits for it")
    for client in clients:
        client.rst()
    eventually(lambda: tidegate.api.route()["in_flight"] == 0, "all have left")
    origin.go_on.set()
    assert lab.client(tidegate).get("/", host="localhost").text == "fine"
    assert len(origin.begun) == 2 and tidegate.api.failures_of_sides() == 0


@pytest.mark.several_threads
def test_who_gets_a_connection_to_an_address_that_went_meanwhile_is_served_before_its_goaway(lab):
    """The origin's library, as some servers, takes a client's GOAWAY for the end: a head that came after it would be refused."""
    names = lab.name_server(dns.a("127.0.0.1", 1))
    origin, tidegate = slow_to_begin(lab, lambda origin: f"api.test:{origin.address.rsplit(':', 1)[1]}",
                                     dns={"servers": [names.address]}, route=NO_RETRY)
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    eventually(lambda: len(origin.begun) == 1, "the handshake")
    names.answers(dns.a("127.0.0.2", 60))
    addresses = lambda: [one["address"] for cluster in tidegate.api.get("/api/v1/clusters").json["clusters"]
                         if cluster["name"] == "old" for one in cluster["endpoints"]]
    eventually(lambda: addresses() and all("127.0.0.2" in one for one in addresses()), "the other address")
    origin.go_on.set()
    assert client.read_response().text == "fine"
    assert tidegate.api.failures_of_sides() == 0
    eventually(lambda: origin.open_connections() == 0, "the connection ends after it")
