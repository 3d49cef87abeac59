"""Drains: what is said when, what is not begun any more, and that nothing keeps the end waiting. PRODUCT 3, RFC 9113 6.8. Each test
is a bug that there was; the rest of a drain is in test_lifecycle and test_protocols."""
import os
import signal
import socket
import ssl
import threading

import h2.connection
import pytest
from hyperframe.frame import SettingsFrame, WindowUpdateFrame

from harness import Authority, eventually, ok, serve, stays
from harness.frames import GET, PREFACE, frames, frames_of, headers, kind, size_of_body

HANDSHAKE = ("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
AT_ONCE = {"delay": "0s", "timeout": "30s"}     # the timeout is longer than a test waits for the end
ALL = 2**31 - 1


def test_a_drain_in_which_a_sessions_end_fails_others_that_waited_for_its_connection_ends_with_0(lab):
    """The tunnel that has the one connection is ended; whoever waited connects, which fails at once, and ends as well."""
    def script(connection):
        connection.read_head()
        connection.send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        connection.wait_for_end()

    path = str(lab.directory / "origin.sock")
    to = lab.origin(script, path=path, record=False)
    tidegate = lab.proxy(to, to, cluster={"pool": {"connections": 1}}, drain=AT_ONCE,
                         route={"upgrade": {"protocols": ["echo"]}, "retry": {"retries": 0}})
    tunnel = lab.client(tidegate)
    tunnel.send(HANDSHAKE % "echo")
    tunnel.read_informational()
    os.unlink(path)     # from here on connect() fails at once
    waiting = [lab.client(tidegate) for _ in range(5)]
    for client in waiting:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.metric("tidegate_http_requests_in_flight") == 5, "five that wait")
    tidegate.signal(signal.SIGTERM)
    for client in waiting:
        assert client.read_response().status == 502
    assert tidegate.wait() == 0


def test_a_drain_over_http2_is_announced_at_its_beginning_and_numbered_later(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener={"h2c": True}, drain={"delay": "2s", "timeout": "30s"})
    client = lab.http2_client(tidegate)
    assert client.get("/").status == 200
    tidegate.signal(signal.SIGTERM)
    seen = frames_of(client)
    first = next(frame for frame in seen if kind(frame) == "GoAway")
    assert (first.error_code, first.last_stream_id) == (0, ALL)
    assert lab.client(tidegate).get("/").status == 200, "it is the time of drain.delay: connections are still accepted"
    client.peer.socket.sendall(headers(3, GET, "END_STREAM"))     # as from a client that does not know yet
    rest = list(seen)
    assert [frame.flags for frame in rest if kind(frame) == "Data" and frame.stream_id == 3 and "END_STREAM" in frame.flags], rest
    assert [(frame.error_code, frame.last_stream_id) for frame in rest if kind(frame) == "GoAway"][-1] == (0, 3)
    assert tidegate.wait() == 0


def test_a_request_above_the_number_of_goaway_is_not_executed_also_while_goaway_waits_to_be_sent(lab):
    """The client does not read: GOAWAY waits behind a response, and a POST comes after it was decided."""
    size, sent = 16_000_000, [0]
    part = b"x" * 50_000

    def script(connection):
        while request := connection.read_request():
            if request.target != "/large":
                connection.send(ok("done"))
                continue
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
            for _ in range(size // len(part)):
                connection.send(part)
                sent[0] += len(part)

    to = lab.origin(script, record=False)
    tidegate = lab.proxy(to, to, listener={"h2c": True}, drain=AT_ONCE)
    client = lab.http2_client(tidegate)
    client.peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.peer.h2.update_settings({4: 100_000_000})
    client.peer.h2.increment_flow_control_window(100_000_000)
    client.peer.flush()
    client._take(client.peer.events())
    large = client.start("/large")

    def full():
        before = sent[0]
        try:
            stays(lambda: sent[0] == before, seconds=0.3)
        except AssertionError:
            return False
        return before > 0

    eventually(full, "a socket that takes no more", 20)
    assert sent[0] < size
    idle = lab.client(tidegate)
    assert idle.get("/").status == 200
    tidegate.signal(signal.SIGTERM)
    assert idle.is_closed(10), "idle connections are closed in the turn in which the last number is decided"
    late = client.start("/late", method="POST", body=b"x")
    stays(lambda: "/late" not in [request.target for request in to.requests], "a request that is not executed", 0.5)
    answers, last, got = [], None, 0
    for frame in frames_of(client):
        if kind(frame) == "GoAway":
            last = frame.last_stream_id
        elif frame.stream_id == late:
            answers.append(frame)
        elif frame.stream_id == large and kind(frame) == "Data":
            got += len(frame.data)
    refused = any(kind(frame) == "RstStream" and frame.error_code == 7 for frame in answers)
    assert got == size, "what was on its way came whole"
    assert (refused or last < late) and len(to.requests) == 2, (answers, last, late, to.requests)
    assert tidegate.wait() == 0


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_a_tls_handshake_that_ends_when_idle_connections_are_closed_does_not_delay_the_end(lab, protocol):
    authority = Authority(lab.directory / "pki")
    to = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(to, to, listener={"tls": {"certificates": [authority.issue().files()]}, "timeouts": {"tls_handshake": "20s"}},
                         drain=AT_ONCE)
    idle = lab.client(tidegate, tls=authority.client())
    assert idle.get("/").status == 200
    late = lab.client(tidegate)
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = authority.client(alpn=[protocol]).wrap_bio(received, sent, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = sent.read()
    late.send(hello[:50])
    eventually(lambda: tidegate.api.metric("tidegate_downstream_connections") == 2, "the connection accepted")
    tidegate.signal(signal.SIGTERM)
    assert idle.is_closed(10)
    late.try_send(hello[50:])

    def secured():
        """@return False where it is closed before: as good"""
        while True:
            try:
                tls.do_handshake()
                return True
            except ssl.SSLWantReadError:
                if not late.try_send(sent.read()) or not (part := late._more()):
                    return False
                received.write(part)

    if secured() and protocol == "h2":
        client = h2.connection.H2Connection()
        client.initiate_connection()
        tls.write(client.data_to_send())
    late.try_send(sent.read())
    assert tidegate.wait(12) == 0


def test_a_websocket_that_is_answered_during_the_drain_is_sent_away_like_the_others(lab):
    go = threading.Event()

    def script(connection):
        connection.read_head()
        connection.wait(go)
        connection.send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        connection.wait_for_end()

    to = lab.origin(script)
    tidegate = lab.proxy(to, to, drain=AT_ONCE, route={"upgrade": {"idle_timeout": "60s"}})
    client, silent = lab.client(tidegate), lab.client(tidegate)
    client.send(HANDSHAKE % "websocket")
    eventually(lambda: to.requests, "the handshake at the origin")
    eventually(lambda: tidegate.api.metric("tidegate_downstream_connections") == 2, "both accepted")
    tidegate.signal(signal.SIGTERM)
    assert silent.is_closed(10), "the others are told in the same turn"
    go.set()
    assert client.read_informational()[0] == 101
    assert tidegate.wait(12) == 0
    assert client.read_until_close() == b"\x88\x02\x03\xe9", "Close 1001"


def test_sigusr1_in_a_drain_opens_the_access_log_again(lab):
    path, rotated = lab.directory / "access.log", lab.directory / "access.log.1"
    go, asked = threading.Event(), threading.Event()

    def script(connection):
        connection.read_request()
        asked.set()
        go.wait(30)
        connection.send(ok("x"))
    tidegate = lab.proxy(lab.origin(script), log={"access": {"path": str(path)}}, drain=AT_ONCE)
    client = lab.client(tidegate)
    client.send("GET /last HTTP/1.1\r\nHost: a\r\n\r\n")
    asked.wait(10)
    tidegate.signal(signal.SIGTERM)
    tidegate.logs("draining")
    path.rename(rotated)
    tidegate.signal(signal.SIGUSR1)
    eventually(path.exists, "a new file")
    go.set()
    assert client.read_response().status == 200
    assert tidegate.wait() == 0
    assert "/last" in path.read_text() and "/last" not in rotated.read_text()


ANSWER = b"x" * 400_000     # of which a client with a small buffer has only the begin, and the socket the rest
REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def answered(lab, tidegate):
    """A client that reads nothing: all of its answer is in the socket."""
    client = lab.client(tidegate, receive_buffer=8192)
    client.send(REQUEST)
    tidegate.api.counts(1, "http_requests_total", route="all", status="200")
    return client


def test_an_answer_is_whole_though_a_drain_closes_its_connection_and_the_client_asks_again(lab):
    """The connection is between two requests, for Tidegate; its client is still reading."""
    tidegate = lab.proxy(lab.origin(serve(ok(ANSWER)), record=False), drain=AT_ONCE)
    client, silent = answered(lab, tidegate), lab.client(tidegate)
    eventually(lambda: tidegate.api.metric("tidegate_downstream_connections") == 2, "both accepted")
    tidegate.signal(signal.SIGTERM)
    assert silent.is_closed(10), "the others are told in the same turn"
    client.try_send(REQUEST)
    assert client.read_response().complete and client.is_closed() == "fin"
    client.close()
    assert tidegate.wait() == 0


def test_answers_over_http2_are_whole_though_the_client_opens_windows_after_a_drain_has_ended_its_connection(lab):
    go, asked = threading.Event(), threading.Event()

    def script(connection):
        while connection.read_request():
            asked.set()
            connection.wait(go)
            connection.send(ok(ANSWER))

    tidegate = lab.proxy(lab.origin(script, record=False), listener={"h2c": True}, drain=AT_ONCE)
    client, silent = lab.client(tidegate, receive_buffer=8192), lab.client(tidegate)
    client.send(PREFACE + SettingsFrame(0, settings={4: 2**24}).serialize() + WindowUpdateFrame(0, 2**24).serialize() + headers(1, GET, "END_STREAM"))
    assert asked.wait(10)
    eventually(lambda: tidegate.api.metric("tidegate_downstream_connections") == 2, "both accepted")
    tidegate.signal(signal.SIGTERM)
    assert silent.is_closed(10), "the others are told in the same turn"
    go.set()
    assert size_of_body(client, frames(lambda: client.socket.recv(8192))) == len(ANSWER)
    client.close()
    assert tidegate.wait() == 0


def test_a_client_that_does_not_read_its_last_answer_keeps_a_drain_no_longer_than_its_timeout(lab):
    tidegate = lab.proxy(lab.origin(serve(ok(ANSWER)), record=False), drain={"delay": "0s", "timeout": "1s"})
    answered(lab, tidegate)
    assert tidegate.terminate(15) == 0
