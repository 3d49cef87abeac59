"""What tests/RELIABILITY.md asks of requests, responses and connections that no other file shows. Issue 6."""
import contextlib
import json
import os
import socket
import subprocess
import threading

import hpack
import pytest
from hyperframe.frame import RstStreamFrame, SettingsFrame

from harness import Authority, Client, eventually, make_config, memory_slack, ok, serve, stays
from harness.frames import GET, OK, PREFACE, FrameOrigin, data, frames, frames_of, headers, kind
from harness.http1 import chunked
from harness.reload import reload
from harness.tidegate import find_binary

pytestmark = pytest.mark.one_worker

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
HANDSHAKE = ("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
NO_RETRY = {"retry": {"retries": 0}}
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 0, 1, 7, 8
MIB = 1024 * 1024


# --- framing and fields

@pytest.mark.parametrize("expects", ["", "Expect: 100-continue\r\n"], ids=["upload", "expect"])
def test_what_follows_an_early_answer_is_never_a_request_and_its_upstream_connection_is_not_used_again(lab, expects):
    """The body that was announced may come or not: nobody can tell it from a request any more."""
    def script(connection):
        while request := connection.read_head():
            connection.send(ok(request.target))
            if request.target == "/early":
                connection.wait_for_end()
                return

    origin = lab.origin(script)
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send(f"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n{expects}\r\n")
    response = client.read_response()
    assert (response.text, response.get("connection")) == ("/early", "close")
    client.try_send(SMUGGLED)
    assert client.is_closed()
    assert lab.client(tidegate).get("/next").text == "/next"
    assert [(request.target, request.on_connection.index) for request in origin.requests] == [("/early", 0), ("/next", 1)]


def test_a_refusal_arrives_though_more_was_sent_and_who_goes_on_sending_is_ended(lab):
    """What is unread when a socket is closed resets it, and the answer is lost."""
    tidegate = lab.proxy(lab.origin(serve(ok("x"))))
    client = lab.client(tidegate)
    client.send(b"GET / HTTP/1.1\r\nno colon\r\n\r\n" + b"x" * 100_000)
    assert client.read_response().status == 400
    while client.try_send(b"x" * 65536):
        pass


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Date", "close"])
def test_a_field_that_frames_a_response_cannot_be_nominated_away(lab, name):
    framed = (b"Transfer-Encoding: chunked\r\nDate: x\r\n\r\n" + chunked(b"abc") if name == "Transfer-Encoding"
              else b"Content-Length: 3\r\nDate: x\r\n\r\nabc")
    tidegate = lab.proxy(lab.origin(serve(f"HTTP/1.1 200 OK\r\nConnection: {name}\r\n".encode() + framed)))
    client = lab.client(tidegate)
    for _ in range(2):
        response = client.get("/")
        assert (response.status, response.body, response.complete) == (200, b"abc", True)


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_a_205_that_has_a_body_loses_it_and_its_connection(lab, body):
    origin = lab.origin(serve(ok(body, "205 Reset Content")))
    client = lab.client(lab.proxy(origin))
    for _ in range(3):
        response = client.get("/")
        assert (response.status, response.get("content-length"), response.body) == (205, "0", b"")


def test_an_empty_host_is_refused(lab):
    origin = lab.origin(serve(ok("x")))
    client = lab.client(lab.proxy(origin))
    client.send("GET / HTTP/1.1\r\nHost:\r\n\r\n")
    assert client.read_response().status == 400 and not origin.requests


def test_a_post_that_a_kept_upstream_connection_took_and_lost_is_never_sent_twice(lab):
    def script(connection):
        if connection.read_request():
            connection.send(ok("x"))
        connection.read_request()       # and the end

    origin = lab.origin(script)
    client = lab.client(lab.proxy(origin))
    assert client.get("/1").status == 200
    assert client.post(b"pay", "/2").status == 502
    assert [(request.target, request.on_connection.index) for request in origin.requests] == [("/1", 0), ("/2", 0)]


def test_a_body_is_passed_on_though_the_upstream_never_says_100(lab):
    tidegate = lab.proxy(lab.origin(serve(lambda request: ok(request.body))))
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert client.is_closed(0.3) is None and not client._source.buffer
    client.send("abc")
    assert client.read_response().body == b"abc"


# --- Upgrade

@pytest.mark.several_threads
def test_bytes_behind_an_upgrade_reach_the_server_after_its_101_and_not_before(lab):
    go, early = threading.Event(), []

    def script(connection):
        connection.read_head()
        connection.wait(go)
        early.append(connection._source.buffer)
        connection.socket.settimeout(0.3)
        try:
            early.append(connection.socket.recv(100))
        except TimeoutError:
            pass
        connection.socket.settimeout(None)
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        early.append(connection._source.take(5))
        connection.send(b"there")
        connection.wait_for_end()

    origin = lab.origin(script)
    client = lab.client(lab.proxy(origin))
    client.send(HANDSHAKE + "early")
    eventually(lambda: origin.requests, "the handshake at the server")
    go.set()
    assert client.read_informational()[0] == 101
    assert client._source.take(5) == b"there"
    assert early == [b"", b"early"]


def test_bytes_behind_an_upgrade_that_is_refused_are_read_as_http(lab):
    origin = lab.origin(serve(lambda request: ok(request.target, "403 Forbidden")))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send(HANDSHAKE.encode() + b"\x81\x85\0\0\0\0hello" + SMUGGLED)
    assert client.read_response().status == 403
    assert client.read_response().status == 400
    assert client.read_until_close() == b"" and [request.target for request in origin.requests] == ["/chat"]


@pytest.mark.parametrize("fields", ["Upgrade: other\r\nConnection: upgrade\r\n", "Connection: upgrade\r\n", "Upgrade: h2c, websocket\r\n"])
def test_a_101_that_switches_to_something_else_is_502_and_nothing_is_joined(lab, fields):
    def script(connection):
        connection.read_head()
        connection.send(f"HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n" + "poison")
        connection.wait_for_end()

    tidegate = lab.proxy(lab.origin(script), route=NO_RETRY)
    client = lab.client(tidegate)
    client.send(HANDSHAKE)
    response = client.read_response()
    assert response.status == 502 and response.informational == [] and b"poison" not in response.body
    assert tidegate.api.failures_of_sides() == 1


@pytest.mark.parametrize("line, fields, body", [("POST /chat HTTP/1.1", "", ""), ("GET /chat HTTP/1.1", "Content-Length: 5\r\n", "abcde"),
                                                ("GET /chat HTTP/1.0", "", "")], ids=["POST", "body", "1.0"])
def test_what_is_no_proper_upgrade_is_an_ordinary_request_or_refused(lab, line, fields, body):
    origin = lab.origin(serve(lambda request: ok(request.body)))
    client = lab.client(lab.proxy(origin))
    client.send(HANDSHAKE.replace("GET /chat HTTP/1.1", line).replace("Host: a\r\n", "Host: a\r\n" + fields) + body)
    response = client.read_response()
    assert response.status in (200, 400) and response.informational == []
    assert [request.get("upgrade") for request in origin.requests] in ([], [None])


# --- HTTP/2 and its translation

def test_bodies_of_http2_have_the_framing_that_http1_wants(lab):
    origin = lab.origin(serve(ok("x")))
    client = lab.http2_client(lab.proxy(origin, listener={"h2c": True}))
    assert client.post(b"abc").status == client.get("/").status == 200
    assert client.post(b"abc", headers=[("content-length", "3")]).status == 200
    assert [(request.framing, request.get("content-length"), request.body) for request in origin.requests] == [
        ("chunked", None, b"abc"), ("none", None, b""), ("length", "3", b"abc")]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_of_http2_that_ends_with_its_head_has_a_length_of_0_where_its_method_wants_content(lab, method):
    """RFC 9110 8.6; some servers answer 411 to a POST without one."""
    origin = lab.origin(serve(ok("x")))
    client = lab.http2_client(lab.proxy(origin, listener={"h2c": True}))
    assert client.get("/", method=method).status == client.get("/", method="DELETE").status == 200
    assert [(request.method, request.get("content-length")) for request in origin.requests] == [(method, "0"), ("DELETE", None)]


@pytest.mark.several_threads
def test_a_stream_that_its_client_resets_ends_the_upstream_request_and_its_copy(lab):
    old, new = (lab.origin(lambda c: (c.read_request(), c.wait_for_end())) for _ in range(2))
    tidegate = lab.proxy(old, new, listener={"h2c": True}, route={"mirror": {"methods": ["POST"]}})
    client = lab.http2_client(tidegate)
    stream = client.start(method="POST", end=False)
    client.send(stream, b"abc")
    eventually(lambda: old.requests and new.requests, "both heads")
    client.peer.h2.reset_stream(stream, CANCEL)
    client.peer.flush()
    for origin in (old, new):
        assert origin.connections[0].over.wait(5) and not origin.requests[0].complete
    eventually(lambda: tidegate.api.route()["mirror"]["dropped"]["client_abort"] == 1, "the copy dropped")
    tidegate.api.counts(1, "http_requests_total", status="499")
    assert tidegate.api.failures_of_sides() == 0


@pytest.mark.parametrize("down", ["http1", "h2c"])
def test_a_client_that_leaves_resets_its_stream_to_the_upstream_with_cancel(lab, down):
    to = lab.keep(FrameOrigin(lambda connection, frame: None))
    tidegate = lab.proxy(to, listener={"h2c": True}, cluster={"protocol": "http2"})
    if down == "http1":
        client = lab.client(tidegate)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    else:
        client = lab.http2_client(tidegate)
        client.start("/")
    eventually(lambda: to.seen("Headers"), "the request at the origin")
    client.close()
    reset = eventually(lambda: to.seen("RstStream"), "the reset", 5)
    assert [frame.error_code for frame in reset] == [CANCEL] and to.open_connections() == 1
    assert tidegate.api.failures_of_sides() == 0


@pytest.mark.parametrize("connections", [1, 2])
def test_an_upstream_that_lowers_its_streams_to_0_gets_no_new_ones_and_finishes_those_that_it_has(lab, connections):
    def react(connection, frame):
        if kind(frame) == "Headers" and len(to.seen("Headers")) > 1:
            to.send(connection, headers(frame.stream_id, OK, "END_STREAM"))

    def acknowledged(count):
        return sum(kind(frame) == "Settings" and "ACK" in frame.flags for frame in list(to.frames)) >= count

    to = lab.keep(FrameOrigin(react))
    tidegate = lab.proxy(to, cluster={"protocol": "http2", "pool": {"connections": connections}}, route=NO_RETRY)
    first, second = lab.client(tidegate), lab.client(tidegate)
    first.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: to.seen("Headers") and acknowledged(1), "the first at the origin")
    to.send(to.connections[0], SettingsFrame(0, settings={3: 0}).serialize())
    eventually(lambda: acknowledged(2), "the new limit acknowledged")
    second.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    if connections == 1:
        eventually(lambda: tidegate.api.metric("tidegate_http_requests_in_flight") == 2, "the second waits")
        stays(lambda: len(to.seen("Headers")) == 1, "no stream above the limit")
        to.send(to.connections[0], SettingsFrame(0, settings={3: 1}).serialize())
        to.send(to.connections[0], headers(1, OK, "END_STREAM"))
        assert first.read_response().status == second.read_response().status == 200
        assert len(to.connections) == 1
    else:
        assert second.read_response().status == 200 and len(to.connections) == 2
        to.send(to.connections[0], headers(1, OK, "END_STREAM"))
        assert first.read_response().status == 200
    assert tidegate.api.failures_of_sides() == 0


def test_an_early_answer_over_http2_arrives_whole_and_the_upload_is_stopped_without_an_error(lab):
    def script(connection):
        while request := connection.read_head():
            connection.send(ok("early" if request.target == "/up" else "next", "403 Forbidden"))
            if request.target == "/up":
                connection.wait_for_end()
                return

    client = lab.http2_client(lab.proxy(lab.origin(script), listener={"h2c": True}))
    stream = client.start("/up", method="POST", end=False)
    client.send(stream, b"x" * 1000)
    parts = client._parts[stream]
    while parts["reset"] is None and client._take(client.peer.events()):
        pass
    assert (parts["status"], parts["body"], parts["over"], parts["reset"]) == (403, b"early", True, NO_ERROR)
    assert client.get("/next").body == b"next"


@pytest.mark.parametrize("knows", [False, True], ids=["did not know", "acknowledged"])
def test_a_stream_over_the_limit_is_never_executed(lab, knows):
    """It is refused alone where its client could not know the limit; who has acknowledged it has broken the protocol, and the connection ends."""
    go = threading.Event()
    to = lab.origin(serve(lambda request: go.wait(20) and ok("x")), record=False)
    client = lab.http2_client(lab.proxy(to, listener={"h2c": True, "limits": {"h2_streams": 3}}))
    if knows:
        client._take(client.peer.events())
    held = [client.start(f"/{i}") for i in range(3)]
    eventually(lambda: len(to.requests) == 3, "three at the origin")
    client.peer.socket.sendall(headers(7, GET, "END_STREAM"))
    if knows:
        assert [frame.error_code for frame in frames_of(client) if kind(frame) == "GoAway"] == [PROTOCOL_ERROR]
    else:
        refused = next(frame for frame in frames_of(client) if kind(frame) == "RstStream")
        assert (refused.stream_id, refused.error_code) == (7, REFUSED_STREAM)
    go.set()
    if not knows:
        assert [client.finish(stream).status for stream in held] == [200] * 3
    assert len(to.requests) == 3


def test_a_stream_whose_client_opens_no_window_is_ended_after_its_time_and_its_upstream_let_go(lab):
    def script(connection):
        while request := connection.read_request():
            connection.send(ok(b"x" * (MIB if request.target == "/large" else 0)))

    origin = lab.origin(script)
    tidegate = lab.proxy(origin, listener={"h2c": True, "timeouts": {"body_idle": "500ms"}})
    client = lab.http2_client(tidegate)
    client.peer.h2.update_settings({4: 0})      # INITIAL_WINDOW_SIZE
    client.peer.flush()
    stream = client.start("/large")
    answer = client.finish(stream)
    assert (answer.status, answer.body) == (200, b"") and answer.reset is not None
    assert origin.connections[0].over.wait(10)
    assert client.get("/empty").status == 200, "the connection goes on"
    assert tidegate.api.failures_of_sides() == 0


def test_a_connection_of_http2_whose_client_reads_nothing_is_ended_after_its_time(lab):
    """The windows are open, the socket is full."""
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _ in range(16384):
            connection.send(b"x" * 65536)

    origin = lab.origin(script, record=False)
    tidegate = lab.proxy(origin, listener={"h2c": True, "timeouts": {"body_idle": "500ms"}})
    before = tidegate.rss_mib()
    client = lab.http2_client(tidegate)
    client.peer.h2.update_settings({4: 2**31 - 1})
    client.peer.h2.increment_flow_control_window(2**31 - 65536)
    client.start("/")
    eventually(lambda: origin.connections and origin.connections[0].socket.fileno() < 0, "the end of the upstream", 20)
    tidegate.api.counts(0, "tidegate_downstream_connections")
    assert tidegate.rss_mib() - before < 16 * memory_slack()
    assert tidegate.api.failures_of_sides() == 0


@pytest.mark.parametrize("up", ["http1", "http2"])
def test_informational_answers_reach_a_client_of_http2(lab, up):
    hints = hpack.Encoder().encode([(":status", "103"), ("link", "</a.css>")])
    if up == "http1":
        to = lab.origin(serve(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nx: y\r\n\r\n" + ok("final")))
    else:
        to = lab.keep(FrameOrigin(lambda connection, frame: kind(frame) == "Headers" and to.send(
            connection, headers(frame.stream_id, hints) + headers(frame.stream_id, OK) + data(frame.stream_id, b"final", "END_STREAM"))))
    client = lab.http2_client(lab.proxy(to, listener={"h2c": True}, cluster={"protocol": up}))
    client.start("/")
    decoder, seen = hpack.Decoder(), []
    for frame in frames_of(client):
        if kind(frame) == "Headers":
            seen.append(dict(decoder.decode(frame.data)))
        if frame.stream_id == 1 and "END_STREAM" in frame.flags:
            break
    assert seen[0] == {":status": "103", "link": "</a.css>"}
    assert [head[":status"] for head in seen] == ["103", "200"]


def test_hpacks_table_does_not_grow_because_the_client_would_allow_it(lab):
    """RFC 7541 6.3: an encoder says when it makes its table larger, and this decoder does not take that beyond 4096."""
    origin = lab.origin(serve(lambda request: ok("", fields=f"x-{request.target[1:]}: {request.target[1:].zfill(300)}\r\n")))
    client = lab.http2_client(lab.proxy(origin, listener={"h2c": True}))
    client.peer.socket.sendall(SettingsFrame(0, settings={1: 16 * MIB}).serialize())
    asking, decoder = hpack.Encoder(), hpack.Decoder()
    seen = frames_of(client)
    for i in range(40):
        block = asking.encode([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", f"/{i}")])
        client.peer.socket.sendall(headers(2 * i + 1, block, "END_STREAM"))
        answer = next(frame for frame in seen if kind(frame) == "Headers")
        assert dict(decoder.decode(answer.data))[f"x-{i}"] == str(i).zfill(300)
    assert decoder.header_table_size == 4096


# --- breaking off at every byte, over HTTP/2

ANSWER = SettingsFrame(0).serialize() + headers(1, OK) + data(1, b"0123456789") + data(1, b"abcdefghij", "END_STREAM")


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_an_answer_over_http2_that_is_cut_at_any_byte_is_never_passed_off_as_complete_and_is_one_failure(lab, how):
    def script(connection):
        assert connection._source.take(len(PREFACE)) == PREFACE
        request = next(frame for frame in frames(lambda: connection._source.some(65536)) if kind(frame) == "Headers")
        count = int(dict(hpack.Decoder().decode(request.data))[":path"][1:])
        connection.send(ANSWER[:count])
        if count == len(ANSWER):
            connection.wait_for_end()
        else:
            connection.fin() if how == "fin" else connection.rst()

    tidegate = lab.proxy(lab.origin(script, record=False), cluster={"protocol": "http2"}, route=NO_RETRY)
    client = lab.client(tidegate)
    for count in range(len(ANSWER)):
        response = client.get(f"/{count}")
        at = f"cut after {count} of {len(ANSWER)}: {response}"
        assert response.status == 502 or not response.complete, at
        if not response.complete:
            assert b"0123456789abcdefghij".startswith(response.body), at
            client = lab.client(tidegate)
    response = client.get(f"/{len(ANSWER)}")
    assert (response.text, response.complete) == ("0123456789abcdefghij", True)
    tidegate.api.counts(len(ANSWER) + 1, "http_requests_total")
    assert tidegate.api.failures_of_sides() == len(ANSWER)


@pytest.mark.several_threads
@pytest.mark.parametrize("how", ["close", "rst"])
def test_clients_of_http2_that_vanish_at_each_byte_leave_nothing_behind_and_count_for_no_gate(lab, how):
    block = hpack.Encoder().encode([(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/")])
    sent = (PREFACE + SettingsFrame(0).serialize() + headers(1, block) + data(1, b"abc") + data(1, b"", "END_STREAM")
            + headers(3, block) + data(3, b"abc") + RstStreamFrame(3, CANCEL).serialize())
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()), record=False)
    tidegate = lab.proxy(origin, origin, weight=50, listener={"h2c": True}, route={"gate": {"breaker": {"requests": 10, "for": "0s"}}})
    before = tidegate.sockets()
    for count in range(len(sent) + 1):
        client = Client(tidegate.address)
        client.send(sent[:count])
        if count % 5 == 0:
            client.is_closed(0.002)     # let it get to work
        getattr(client, how)()
    eventually(lambda: tidegate.sockets() <= before, "every socket closed", 10)
    eventually(lambda: origin.open_connections() == 0, "every exchange ended", 10)
    assert tidegate.api.failures_of_sides() == 0 and not tidegate.api.route()["latched"]


@pytest.mark.several_threads
def test_each_cut_of_an_answer_is_exactly_one_failure_of_its_side(lab):
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"0123456789", [("x-t", "1")])

    def script(connection):
        if request := connection.read_request():
            connection.send(whole[:int(request.target[1:])])
            connection.rst() if connection.index % 2 else connection.fin()

    tidegate = lab.proxy(lab.origin(script, record=False), route=NO_RETRY)
    for count in range(len(whole)):
        with Client(tidegate.address) as client:
            response = client.get(f"/{count}")
            assert response.status == 502 or not response.complete, (count, response)
    tidegate.api.counts(len(whole), "http_requests_total")
    eventually(lambda: tidegate.api.route()["gate"]["step"]["old"] == {"requests": len(whole), "failures": len(whole)}, "the gate's counts")
    assert tidegate.api.failures_of_sides() == len(whole)


# --- TLS

def test_a_client_hello_without_end_is_closed(lab):
    authority = Authority(lab.directory / "pki")
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener={"tls": {"certificates": [authority.issue().files()]},
                                                               "timeouts": {"tls_handshake": "5m"}})
    before = tidegate.rss_mib()
    client = lab.client(tidegate)
    client.try_send(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03" + bytes(16384 - 6))
    for _ in range(1022):
        if not client.try_send(b"\x16\x03\x01\x40\x00" + bytes(16384)):
            break
    assert client.read_until_close()[:1] in (b"", b"\x15") and client.ended     # nothing, or an alert
    assert tidegate.rss_mib() - before < 16 * memory_slack()
    assert lab.client(tidegate, tls=authority.client()).get().status == 200


NUL_NAME = b"a.example.test\0.evil.test"
NUL = "DER:" + (b"\x30" + bytes([len(NUL_NAME) + 2]) + b"\x82" + bytes([len(NUL_NAME)]) + NUL_NAME).hex(":")


@pytest.mark.parametrize("names, subject, is_good", [
    ("DNS:a.example.test", "/CN=x", True), ("DNS:A.EXAMPLE.test", "/CN=x", True), ("DNS:*.example.test", "/CN=x", True),
    ("DNS:b.example.test,DNS:a.example.test", "/CN=x", True),
    ("DNS:*.test", "/CN=x", False), ("DNS:*", "/CN=x", False), ("DNS:*.*.test", "/CN=x", False), ("DNS:a*.example.test", "/CN=x", False),
    ("DNS:example.test", "/CN=a.example.test", False), (NUL, "/CN=x", False), ("email:a@a.example.test", "/CN=x", False),
    ("URI:https://a.example.test/", "/CN=x", False), (None, "/CN=a.example.test", False)])
def test_of_an_upstreams_certificate_only_its_dns_names_count_and_a_star_is_one_whole_label(lab, names, subject, is_good):
    authority = Authority(lab.directory / "pki")
    origin = lab.origin(serve(ok("x")), tls=authority.server(authority.issue(names, subject)))
    tidegate = lab.proxy(origin, cluster={"tls": {"ca": authority.ca, "sni": "a.example.test"}})
    assert lab.client(tidegate).get("/").status == (200 if is_good else 502)
    assert bool(origin.requests) == is_good


# --- privileges

def capabilities(pid):
    """Of each set what a thread of the process has, the most that any has; and whether it may gain more."""
    out = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as file:
            for key, value in (line.split(":") for line in file):
                if key.startswith("Cap"):
                    out[key] = out.get(key, 0) | int(value, 16)
                if key == "NoNewPrivs":
                    out[key] = min(out.get(key, 1), int(value))
    return out


@pytest.mark.several_threads
def test_whoever_starts_it_it_may_do_no_more_than_listen_on_any_port_and_read_any_file(lab, tmp_path):
    kept = 1 << 10 | 1 << 2   # CAP_NET_BIND_SERVICE, CAP_DAC_READ_SEARCH
    tidegate = lab.proxy(lab.origin(serve(ok("old"))))
    for _ in range(2):
        has = capabilities(tidegate.pid)
        assert has["NoNewPrivs"] == 1
        assert not (has["CapPrm"] | has["CapEff"] | has["CapInh"] | has["CapAmb"]) & ~kept, has
        if os.geteuid() == 0:
            assert not has["CapBnd"] & ~kept, has
        tidegate.upgrade()   # the next process has no more
    if os.geteuid() != 0:
        return
    assert "runs as root, but has given up root's rights" in tidegate.output
    address = f"127.0.0.1:{next(port for port in range(1023, 1, -1) if is_free(port))}"
    reload(tidegate, lambda config: config["listeners"].append({"name": "low", "address": address}))
    tidegate.descriptors_are_its_own()
    assert lab.client(address).get("/").status == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="root's own file has another owner only if root gives it away")
def test_validate_looks_with_the_rights_that_run_has(lab, tmp_path):
    os.mkdir(tmp_path / "state")
    os.chown(tmp_path / "state", 12345, 12345)
    config = make_config(lab.origin(serve(ok("x"))), state={"path": str(tmp_path / "state" / "tidegate.db")})
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps(config))
    for verb, expected in (("validate", 1), ("run", 78)):
        done = subprocess.run([find_binary(), verb, "--config", path], capture_output=True, text=True, timeout=30)
        assert done.returncode == expected and str(tmp_path / "state") in done.stdout + done.stderr, done


def is_free(port):
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
