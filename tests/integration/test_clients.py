"""What one client may take: connections at a time, and time by being slow. (Heads that dribble and clients that stop: test_faults.py.)"""
import itertools
import socket
import threading
import time

import pytest
from hyperframe.frame import SettingsFrame, WindowUpdateFrame

from harness import Authority, Client, eventually, ok, serve, stays
from harness.frames import GET, PREFACE, frames, frames_of, headers, kind, size_of_body

pytestmark = pytest.mark.one_worker

MIB = 1024 * 1024
REFUSED = "tidegate_downstream_connections_refused_total"


def limited(lab, most=3, listener=None, **options):
    return lab.proxy(lab.origin(serve(ok("fine"))), listener={"limits": {"connections_per_client": most}, **(listener or {})}, **options)


def served(lab, tidegate, count, **options):
    """So many connections that are kept, each after an answer."""
    clients = [lab.client(tidegate, **options) for _ in range(count)]
    assert all(client.get("/").status == 200 for client in clients)
    return clients


@pytest.mark.several_threads
def test_a_client_s_connections_are_bounded_over_all_workers_and_others_are_not(lab):
    tidegate = limited(lab, workers=4)
    assert tidegate.api.metric(REFUSED, reason="client_limit") == 0
    kept = served(lab, tidegate, 3)
    for _ in range(20):
        assert lab.client(tidegate).is_closed(10)
    served(lab, tidegate, 3, source="127.0.0.2")
    tidegate.api.counts(20, REFUSED, reason="client_limit")
    tidegate.logs("closed the connection of 127.0.0.1:")
    tidegate.logs("its client has 3 already (limits.connections_per_client)")
    assert tidegate.output.count("limits.connections_per_client") <= 4   # once in 10 s a worker
    assert all(client.get("/").status == 200 for client in kept)


@pytest.mark.several_threads
def test_a_connection_that_ends_makes_room_however_it_ends(lab):
    tidegate = limited(lab, most=1, workers=2)

    def once(end):
        with lab.client(tidegate) as client:
            if client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") and client.read_response().status == 200:
                end(client)
                return True
        return False

    for end in (lambda c: None, lambda c: c.send("nonsense\r\n\r\n"), lambda c: c.rst(),
                lambda c: c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                lambda c: c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")):
        for _ in range(10):
            eventually(lambda: once(end), "room")
    tidegate.api.counts(0, "tidegate_downstream_connections")


@pytest.mark.several_threads
def test_the_client_is_the_one_that_the_proxy_header_names(lab):
    tidegate = limited(lab, most=2, listener={"proxy_protocol": "accept"}, trusted_proxies=["127.0.0.1"])

    def header(source):
        kind = b"TCP6" if ":" in source else b"TCP4"
        to = b"::1" if ":" in source else b"127.0.0.1"
        return b"PROXY %s %s %s 1000 80\r\n" % (kind, source.encode(), to)

    def outcomes(sources):
        out = []
        for source in sources:
            client = lab.client(tidegate)
            client.try_send((header(source) if isinstance(source, str) else source) + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            out.append(client.read_response().status == 200)
        return out

    assert outcomes(["192.0.2.1"] * 3 + ["192.0.2.2"]) == [True, True, False, True]
    assert outcomes(["2001:db8:0:1::1", "2001:db8:0:1:ffff::1", "2001:db8:0:1::2", "2001:db8:0:2::1"]) == [True, True, False, True]
    assert outcomes(["::ffff:192.0.2.2", "::ffff:192.0.2.2"]) == [True, False]  # as IPv4, which has one
    assert outcomes(["127.0.0.1"] * 4) == [True] * 4                           # in trusted_proxies
    assert outcomes([b"PROXY UNKNOWN\r\n"] * 4) == [True] * 4                  # nobody in particular
    tidegate.api.counts(3, REFUSED, reason="client_limit")


@pytest.mark.several_threads
def test_whoever_is_trusted_stands_for_many_and_a_unix_domain_socket_for_anybody(lab):
    trusted = limited(lab, most=1, trusted_proxies=["127.0.0.1"])
    served(lab, trusted, 5)
    local = limited(lab, most=1, listener={"address": f"unix:{lab.directory}/a.sock"})
    served(lab, local, 5)
    assert trusted.api.get("/api/v1/config").json["listeners"][0]["limits"]["connections_per_client"] == 1


# --- least rates

SLOW = "tidegate_downstream_slow_total"
GRACE = 0.5


def paced(lab, script, request=0, response=0, listener=None, **options):
    """Least rates in bytes a second, and half a second of grace."""
    return lab.proxy(lab.origin(script, record=False),
                     listener={"limits": {"min_request_rate": request, "min_response_rate": response},
                               "timeouts": {"rate_grace": f"{int(GRACE * 1000)}ms"}, **(listener or {})}, **options)


def dribble(client, data):
    """Byte by byte, some 50 a second, until the other end has something to say."""
    for byte in data:
        if client._source.buffer or client.is_closed(0.02) or not client.try_send(bytes([byte])):
            return


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_dribbles_is_408_and_the_upstream_never_sees_it_whole(lab, framing):
    seen = []

    def script(connection):
        request = connection.read_head()
        connection.read_body(request, keep=False)
        seen.append(request.complete)

    tidegate = paced(lab, script, request=1024)
    client = lab.client(tidegate)
    if framing == "length":
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        dribble(client, itertools.repeat(ord("x"), 1500))
    else:
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        dribble(client, itertools.islice(itertools.cycle(b"1\r\nx\r\n"), 1500))
    response = client.read_response()
    assert (response.status, response.text) == (408, "request body slower than limits.min_request_rate\n")
    assert client.is_closed()
    tidegate.api.counts(1, SLOW, direction="request")
    tidegate.api.counts(1, "http_requests_total", route="all", status="408")
    assert seen in ([], [False])
    assert tidegate.api.metric("tidegate_upstream_failures_total", cluster="old") == 0


def test_a_body_that_dribbles_over_http2_is_408_and_the_connection_goes_on(lab):
    tidegate = paced(lab, serve(ok("fine")), request=1024, listener={"h2c": True, "limits": {"min_request_rate": 1024}})
    asking = lab.http2_client(tidegate)
    stream = asking.start(method="POST", end=False)
    until = time.monotonic() + 20
    while tidegate.api.metric(SLOW, direction="request") == 0 and time.monotonic() < until:
        asking.send(stream, b"x")
    assert asking.finish(stream).status == 408
    assert asking.get("/").body == b"fine"


def test_a_grpc_call_speaks_when_it_has_something_to_say(lab):
    tidegate = paced(lab, serve(ok("fine")), listener={"h2c": True, "limits": {"min_request_rate": MIB}})
    asking = lab.http2_client(tidegate)
    call = asking.start(method="POST", headers=[("content-type", "application/grpc"), ("te", "trailers")], end=False)
    asking.send(call, b"x")
    assert lab.client(tidegate).is_closed(4 * GRACE) is None    # that long it says nothing
    asking.send(call, b"y", end=True)
    assert asking.finish(call).status == 200
    assert tidegate.api.metric(SLOW, direction="request") == 0


def test_a_body_that_waits_for_the_cluster_or_keeps_the_rate_is_left_alone(lab):
    """A cluster that takes a body late, one that says 100 late, and bytes that come just in time."""
    go = threading.Event()

    def script(connection):
        while request := connection.read_head():
            if request.target != "/steady":
                connection.wait(go)
            if request.get("expect"):
                connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request, keep=False)
            connection.send(ok(str(request.size)))

    tidegate = paced(lab, script, request=1024)
    client, waiting = lab.client(tidegate), lab.client(tidegate)
    late = b"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (64 * MIB) + b"x" * 64 * MIB
    sender = threading.Thread(target=lambda: client.send(late))
    sender.start()
    waiting.send("POST /continue HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert waiting.is_closed(4 * GRACE) is None and not waiting._source.buffer
    go.set()
    sender.join()
    assert client.read_response().text == str(64 * MIB)
    assert waiting.is_closed(5) is None
    waiting.send("abc")
    assert waiting.read_response().text == "3"
    client.send("POST /steady HTTP/1.1\r\nHost: a\r\nContent-Length: 10240\r\n\r\n")
    for _ in range(20):
        client.send(b"x" * 512)
        assert client.is_closed(0.1) is None
    assert client.read_response().text == "10240"
    assert tidegate.api.metric(SLOW, direction="request") == 0


def large(connection):
    while request := connection.read_head():
        connection.send(ok(b"x" * (64 * MIB)) if request.target == "/large" else ok("fine"))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_response_that_is_read_in_dribs_is_cut_off_and_its_upstream_let_go(lab, secure):
    authority = Authority(lab.directory / "pki")
    listener = {"tls": {"certificates": [authority.issue().files()]}} if secure else {}
    tidegate = paced(lab, large, response=4 * MIB, listener=listener)
    client = lab.client(tidegate, receive_buffer=8192, tls=authority.client() if secure else None)
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    while tidegate.api.metric(SLOW, direction="response") == 0:
        client.socket.recv(100)
    tidegate.api.counts(0, "tidegate_downstream_connections")
    with pytest.raises(OSError):
        while client.socket.recv(MIB):
            pass
    assert tidegate.api.metric("tidegate_upstream_failures_total", cluster="old") == 0


def test_a_response_that_is_read_in_dribs_over_http2_ends_its_stream_alone(lab):
    tidegate = paced(lab, large, listener={"h2c": True, "limits": {"min_response_rate": MIB}})
    asking = lab.http2_client(tidegate)
    stream = asking.start("/large")
    tidegate.api.counts(1, SLOW, direction="response")
    assert asking.finish(stream).reset is not None
    assert asking.get("/").body == b"fine"


def test_a_response_that_its_cluster_sends_slowly_is_left_alone(lab):
    go = threading.Event()

    def events(connection):
        connection.read_head()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
        connection.wait(go)
        connection.send(b"5\r\nevent\r\n0\r\n\r\n")

    tidegate = paced(lab, events, response=100 * MIB)
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: client.is_closed(0.1) is None and b"event" in client._source.buffer, "the first event")
    idle = lab.client(tidegate)
    assert idle.is_closed(4 * GRACE) is None    # that long nothing comes
    go.set()
    assert client.read_response().body == b"event" * 2
    assert tidegate.api.metric(SLOW, direction="response") == 0


def test_a_client_that_keeps_the_rate_gets_the_whole_response(lab):
    tidegate = paced(lab, large, response=256 * 1024)
    with Client(tidegate.address, receive_buffer=65536) as client:
        response = client.get("/large")
        assert response.complete and response.size == 64 * MIB
    assert tidegate.api.metric(SLOW, direction="response") == 0


# --- connections that are sent away in peace

def test_a_connection_is_told_to_close_with_the_last_request_that_it_may_carry(lab):
    origin = lab.origin(serve(ok("fine")))
    tidegate = lab.proxy(origin, listener={"limits": {"requests_per_connection": 3}})
    client = lab.client(tidegate)
    assert [client.get("/").get("connection") for _ in range(3)] == [None, None, "close"]
    assert client.is_closed()
    pipelined = lab.client(tidegate)
    pipelined.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
    assert [pipelined.read_response().get("connection") for _ in range(3)] == [None, None, "close"]
    assert pipelined.is_closed() and len(origin.requests) == 6


def test_a_connection_that_is_old_enough_is_told_to_close_with_its_next_answer(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("fine"))), listener={"timeouts": {"max_connection_age": "400ms"}})
    began = time.monotonic()
    client = lab.client(tidegate)
    while (response := client.get("/")).get("connection") is None:
        assert response.status == 200
    assert 0.34 < time.monotonic() - began < 5 and client.is_closed()


def test_connections_that_came_together_do_not_leave_together(lab):
    """Ten that are asked in turn: each has its own moment in a fifth of 2 s."""
    tidegate = lab.proxy(lab.origin(serve(ok("fine"))), listener={"timeouts": {"max_connection_age": "2s"}})
    clients = served(lab, tidegate, 10)
    left = []
    while clients:
        for client in list(clients):
            if client.get("/").get("connection") == "close":
                left.append(time.monotonic())
                clients.remove(client)
    assert left[-1] - left[0] > 0.02


@pytest.mark.several_threads
@pytest.mark.parametrize("spent", [{"limits": {"requests_per_connection": 2}}, {"timeouts": {"max_connection_age": "100ms"}}], ids=["requests", "age"])
def test_a_connection_of_http2_that_is_spent_says_goaway_and_finishes_what_it_has(lab, spent):
    """What the client had sent before it knew is served; streams that are open go on; then the connection ends."""
    release = threading.Event()

    def answer(request):
        if request.target == "/slow":
            release.wait(20)
        return ok("fine")

    tidegate = lab.proxy(lab.origin(serve(answer)), listener={"h2c": True, **spent})
    client = lab.http2_client(tidegate)
    client.start("/slow")                          # stream 1
    seen = frames_of(client)
    stream, goaway = 1, None
    while goaway is None:
        stream += 2
        client.peer.socket.sendall(headers(stream, GET, "END_STREAM"))
        frame = next(seen)
        while kind(frame) != "Data" or "END_STREAM" not in frame.flags:
            goaway = frame if kind(frame) == "GoAway" else goaway
            frame = next(seen)
    assert (goaway.error_code, goaway.last_stream_id) == (0, 2 ** 31 - 1)
    unaware = stream + 2
    client.peer.socket.sendall(headers(unaware, GET, "END_STREAM"))
    last = next(frame for frame in seen if kind(frame) == "GoAway")
    assert (last.error_code, last.last_stream_id) == (0, unaware)
    release.set()
    assert any(kind(frame) == "Data" and frame.stream_id == 1 and "END_STREAM" in frame.flags for frame in seen), "to its end"


def test_a_client_of_http2_that_half_closes_while_it_does_not_read_is_not_told_that_a_part_is_all(lab):
    size, sent = 64 << 20, []

    def script(connection):
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        for _ in range(size >> 16):
            connection.send(b"x" * 65536)
            sent.append(1)
    tidegate = lab.proxy(lab.origin(script, record=False), listener={"h2c": True})
    client = lab.http2_client(tidegate)
    client.peer.h2.update_settings({4: 2**31 - 1})  # windows that never are why something waits
    client.peer.h2.increment_flow_control_window(2**30)
    client.peer.flush()
    client.start("/")

    def is_stalled():
        before = len(sent)
        stays(lambda: len(sent) == before, "nothing more is taken", 0.3)
        return before > 0
    eventually(is_stalled, "everything on the way is full", 30)
    client.peer.socket.shutdown(socket.SHUT_WR)
    eventually(lambda: tidegate.api.route()["in_flight"] == 0, "it has ended")
    got = list(frames_of(client))
    assert 0 < sum(len(frame.data) for frame in got if kind(frame) == "Data") < size
    assert not any("END_STREAM" in frame.flags for frame in got)


# --- what was answered arrives, though its connection is closed behind it while the client goes on (RFC 9112 9.6)

ANSWER = b"x" * 400_000     # of which a client with a small buffer has only the begin, and the socket the rest
ONCE = {"limits": {"requests_per_connection": 1}}
NEXT = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def answered(lab, tidegate, also="", **options):
    """A client that reads nothing: all of its answer is in the socket, and Tidegate has nothing more to do for it but to close."""
    client = lab.client(tidegate, receive_buffer=8192, **options)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + also)
    tidegate.api.counts(1, "http_requests_total", route="all", status="200")
    return client


def is_open(tidegate):
    return tidegate.api.metric("tidegate_downstream_connections") == 1


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_the_last_answer_of_a_connection_is_whole_though_the_client_has_sent_its_next_request(lab, secure):
    authority = Authority(lab.directory / "pki")
    listener = {"tls": {"certificates": [authority.issue().files()]}} if secure else {}
    tidegate = lab.proxy(lab.origin(serve(ok(ANSWER)), record=False), listener={**ONCE, **listener})
    client = answered(lab, tidegate, tls=authority.client() if secure else None)
    client.try_send(NEXT)
    answer = client.read_response()
    assert (answer.get("connection"), answer.complete, answer.size) == ("close", True, len(ANSWER))
    assert client.is_closed() == "fin"


def test_the_last_answer_of_a_connection_is_whole_however_late_it_is_read(lab):
    tidegate = lab.proxy(lab.origin(serve(ok(ANSWER)), record=False), listener=ONCE)
    client = answered(lab, tidegate, also=NEXT)
    stays(lambda: is_open(tidegate), "the connection", 2.5)
    client.try_send(NEXT)
    assert client.read_response().complete and client.is_closed() == "fin"


def test_the_last_answer_of_a_connection_is_whole_though_the_client_sends_without_end(lab):
    tidegate = lab.proxy(lab.origin(serve(ok(ANSWER)), record=False), listener=ONCE)
    client = answered(lab, tidegate)
    sender = threading.Thread(target=lambda: client.try_send(b"x" * 64 * MIB))
    sender.start()
    stays(lambda: is_open(tidegate), "the connection")
    assert client.read_response().complete
    sender.join()   # it is ended, once its answer is there


def test_a_whole_answer_is_whole_though_the_one_behind_it_is_cut(lab):
    def script(connection):
        while request := connection.read_request():
            if request.target == "/next":
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                return
            connection.send(ok(ANSWER))

    tidegate = lab.proxy(lab.origin(script, record=False))
    client = lab.client(tidegate, receive_buffer=8192)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT)
    tidegate.api.counts(2, "http_requests_total", route="all", status="200")
    client.try_send(NEXT)
    assert client.read_response().complete
    second = client.read_response()
    assert (second.body, second.complete) == (b"half", False)


def test_answers_over_http2_are_whole_though_the_client_opens_windows_when_its_connection_has_ended(lab):
    go = threading.Event()

    def script(connection):
        while connection.read_request():
            connection.wait(go)
            connection.send(ok(ANSWER))

    tidegate = lab.proxy(lab.origin(script, record=False), listener={"h2c": True, **ONCE})
    client = lab.client(tidegate, receive_buffer=8192)
    client.send(PREFACE + SettingsFrame(0, settings={4: 2**24}).serialize() + WindowUpdateFrame(0, 2**24).serialize() + headers(1, GET, "END_STREAM"))
    seen = frames(lambda: client.socket.recv(8192))
    assert [next(frame for frame in seen if kind(frame) == "GoAway").last_stream_id for _ in range(2)] == [2**31 - 1, 1]
    go.set()
    tidegate.api.counts(1, "http_requests_total", route="all", status="200")
    assert size_of_body(client, seen) == len(ANSWER)


def test_who_does_not_read_its_last_answer_is_let_go_after_its_idle_time(lab):
    tidegate = lab.proxy(lab.origin(serve(ok(ANSWER)), record=False), listener={**ONCE, "timeouts": {"body_idle": "500ms"}})
    answered(lab, tidegate)
    tidegate.api.counts(0, "tidegate_downstream_connections")


def test_a_last_answer_that_is_read_too_slowly_is_cut_off(lab):
    tidegate = paced(lab, serve(ok(ANSWER)), listener={"limits": {"requests_per_connection": 1, "min_response_rate": 4 * MIB}})
    client = answered(lab, tidegate)
    tidegate.api.counts(1, SLOW, direction="response")
    tidegate.api.counts(0, "tidegate_downstream_connections")
    assert not client.read_response().complete and client.ended == "rst"
