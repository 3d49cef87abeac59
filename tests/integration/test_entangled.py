"""Two things at once: an upload and its answer, a request and a connection that closes, work and a signal. What a review found."""
import json
import re
import select
import signal
import socket
import threading
import time

import pytest

from harness import Client, eventually, ok, serve, stays

NO_RETRY = {"retries": 0}
LONG = 40


def post_head(size):
    return f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"


def upload_until_blocked(client):
    """Sends a body until neither end takes more of it, or the connection is closed."""
    client.try_send(post_head(1_000_000_000))
    before = client.socket.gettimeout()
    client.socket.setblocking(False)
    try:
        while select.select([], [client.socket], [], 0.3)[1]:
            client.socket.send(b"y" * 65536)
    except (ConnectionResetError, BrokenPipeError):
        pass
    finally:
        client.socket.settimeout(before)


def nothing_is_left(tidegate):
    def empty():
        metrics = tidegate.api.metrics()

        def total(name, **labels):
            return sum(v for (series, has), v in metrics.items() if series == name and set(labels.items()) <= has)
        left = {"clients": total("tidegate_downstream_connections"), "in flight": total("tidegate_http_requests_in_flight"),
                "upstream": total("tidegate_upstream_connections", state="active")}
        assert not any(left.values()), left
        return True
    eventually(empty, "no connection and nothing in flight", LONG, 0.05)


def stop(tidegate):
    """Freezes the process, so that what is sent to it meanwhile arrives all at once."""
    def state():
        with open(f"/proc/{tidegate.pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    tidegate.signal(signal.SIGSTOP)
    eventually(lambda: state() == "T", "the process stands still")


def failures(tidegate, cluster):
    return tidegate.api.metric("tidegate_upstream_failures_total", cluster=cluster)


def echo_target(request):
    return ok(request.target)


# --- an upload that is blocked

def test_an_upload_that_is_blocked_ends_with_a_response_that_the_client_does_not_read(lab):
    def script(connection):
        connection.read_head()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")

    tidegate = lab.proxy(lab.origin(script, record=False), listener={"timeouts": {"body_idle": "1s"}}, route={"timeout": "0s"})
    for _ in range(3):
        upload_until_blocked(lab.client(tidegate))
    nothing_is_left(tidegate)                # the clients are still there


@pytest.mark.parametrize("answer, status", [(ok("done"), 200), (b"NONSENSE\r\n\r\n", 502)], ids=["complete", "refused"])
def test_an_upload_that_is_blocked_ends_with_its_exchange(lab, answer, status):
    go = threading.Event()
    origin = lab.origin(lambda c: (c.read_head(), c.wait(go, LONG), c.send(answer), c.over.wait(LONG)), record=False)
    tidegate = lab.proxy(origin, route={"timeout": "0s", "retry": NO_RETRY}, cluster={"timeouts": {"response_header": "60s"}})
    clients = [lab.client(tidegate, timeout=LONG) for _ in range(3)]
    for client in clients:
        upload_until_blocked(client)
    go.set()
    for client in clients:
        assert client.read_response().status == status
    nothing_is_left(tidegate)


def test_an_upstream_that_neither_reads_an_upload_nor_answers_is_a_504_and_a_timeout_of_its_side(lab):
    done = threading.Event()
    tidegate = lab.proxy(lab.origin(lambda c: done.wait(LONG), record=False), route={"timeout": "0s", "retry": NO_RETRY},
                         cluster={"timeouts": {"idle": "500ms", "response_header": "500ms"}})
    client = lab.client(tidegate, timeout=LONG)
    upload_until_blocked(client)
    response = client.read_response()
    assert response.status == 504 and "timeout" in response.text
    eventually(lambda: tidegate.api.metric("tidegate_upstream_failures_total", cluster="old", reason="timeout") == 1, "a timeout")
    assert failures(tidegate, "old") == 1
    nothing_is_left(tidegate)
    done.set()


# --- requests beside each other

def test_a_pipelined_request_behind_one_that_timed_out_gets_its_own_answer(lab):
    old, new = lab.origin(serve(echo_target)), lab.origin(lambda c: (c.read_request(), c.wait_for_end(LONG)))
    tidegate = lab.proxy(old, new, new_cluster={"pool": {"connections": 1}}, routes=[
        {"name": "all", "match": {"path": {"prefix": "/x"}}, "weight": 50, "timeout": "500ms", "retry": NO_RETRY},
        {"name": "hold", "weight": 100, "timeout": "0s"}])
    lab.client(tidegate).send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: new.requests, "the only connection of new is busy")
    client = lab.client(tidegate, timeout=LONG)
    client.send("".join(f"GET /x/{i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(16)))
    answers = [client.read_response() for _ in range(16)]
    assert {a.status for a in answers} == {200, 503}, answers  # new's wait in Tidegate's own queue
    assert all(a.complete and (a.status == 503 or a.text == f"/x/{i}") for i, a in enumerate(answers)), answers


def test_400_requests_that_wait_for_one_connection_all_time_out_without_harm(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end(LONG)), record=False)
    tidegate = lab.proxy(origin, route={"timeout": "1s", "retry": NO_RETRY},
                         cluster={"pool": {"connections": 1, "pending": 1000}})
    clients = [lab.client(tidegate, timeout=LONG) for _ in range(400)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answers = [client.read_response().status for client in clients]
    assert set(answers) == {503, 504}, "most waited here; those that had left for the side are its timeouts"
    for client in clients:
        client.close()
    nothing_is_left(tidegate)


def test_a_request_with_a_body_waits_no_longer_than_the_routes_timeout_for_a_connection(lab):
    """Its clock begins with the body's end, which goes up only once there is a connection."""
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end(LONG)), record=False)
    tidegate = lab.proxy(origin, route={"timeout": "500ms", "retry": NO_RETRY}, cluster={"pool": {"connections": 1}, "timeouts": {"idle": "20s"}})
    first = lab.client(tidegate)
    first.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")    # holds the connection: its body is never whole
    eventually(lambda: origin.open_connections() == 1, "the connection is in use")
    for body in ("abc", "abcde"):
        client = lab.client(tidegate)
        client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{body}")
        assert client.read_response().status == 503
    assert tidegate.api.failures_of_sides() == 0


def test_each_direction_may_be_silent_for_as_long_as_the_other_one_speaks(lab):
    """RFC 9110 does not make who answers early, or streams in both directions, wait for the other: timeouts are for when nothing moves."""
    def early(connection):
        request = connection.read_head()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if request.target == "/down":
            while not select.select([connection.socket], [], [], 0.1)[0]:
                connection.send("4\r\ntick\r\n")
        connection.read_body(request)
        connection.send("%x\r\n%s\r\n0\r\n\r\n" % (len(request.body), request.body.decode()))

    tidegate = lab.proxy(lab.origin(early, record=False), cluster={"timeouts": {"idle": "2s"}}, listener={"timeouts": {"body_idle": "2s"}})
    up = lab.client(tidegate)
    up.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n")
    for _ in range(15):
        time.sleep(0.2)
        up.send("x")
    assert up.read_response().text == "x" * 15, "the response's silence was the upload's time"
    down = lab.client(tidegate)
    down.send("POST /down HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n\r\n")
    time.sleep(3)
    down.send("y" * 15)
    answer = down.read_response()
    assert answer.complete and answer.text.endswith("y" * 15) and answer.text.count("tick") >= 8
    assert tidegate.api.failures_of_sides() == 0


# --- whose failure it is

@pytest.mark.parametrize("slow", ["sender", "reader"])
def test_a_client_that_is_slow_past_the_routes_timeout_is_no_failure_of_the_side(lab, slow):
    def script(connection):
        if slow == "sender":
            connection.read_request()
        else:
            connection.read_head()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
            for _ in range(500):
                connection.send(b"x" * 100_000)

    count = 30
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(script, record=False), weight=100,
                         route={"timeout": "1s" if slow == "sender" else "4s", "retry": NO_RETRY},
                         listener={"timeouts": {"body_idle": "3s" if slow == "sender" else "30s"}})
    # The reader's case needs every answer to be on its way, and held up by its client, when the time is over.
    clients = [lab.client(tidegate, receive_buffer=16384) for _ in range(count)]
    for client in clients:
        client.send(post_head(1000) + "ab" if slow == "sender" else "GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    def over():
        for client in clients:
            if slow == "reader":
                try:
                    client.socket.recv(4096, socket.MSG_DONTWAIT)
                except OSError:
                    pass
        return tidegate.api.metric("http_requests_total", side="new") == count

    eventually(over, "the end of every exchange", LONG, 0.05)
    stays(lambda: tidegate.api.route()["gate"]["step"]["new"]["failures"] == 0, "no failure for the gate", 0.7, 0.1)
    assert failures(tidegate, "new") == 0 and not tidegate.api.route()["latched"]


def test_tidegates_own_503_is_no_request_of_the_side_for_the_gate(lab):
    go = threading.Event()
    new = lab.origin(lambda c: (c.read_request(), c.wait(go, LONG), c.send(ok("x")), c.wait_for_end(LONG)))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, new_cluster={"pool": {"connections": 1, "pending": 0}},
                         route={"retry": NO_RETRY})
    busy = lab.client(tidegate, timeout=LONG)
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: new.requests, "the only connection of new is busy")
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(100)] == [503] * 100
    go.set()
    assert busy.read_response().status == 200
    eventually(lambda: tidegate.api.route()["gate"]["step"]["new"] == {"requests": 1, "failures": 0}, "the one request", LONG)
    stays(lambda: tidegate.api.route()["gate"]["step"]["new"] == {"requests": 1, "failures": 0}, "the one request", 0.5, 0.1)


# --- kept upstream connections

@pytest.mark.parametrize("first", ["request first", "response first"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_response_that_an_idle_upstream_connection_sent_unasked_is_never_an_answer(lab, method, first):
    origin = lab.origin(serve(echo_target))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate, timeout=LONG)
    assert client.get("/1").text == "/1"
    eventually(lambda: tidegate.api.metric("tidegate_upstream_connections", cluster="old", state="idle") == 1, "an idle one")
    stop(tidegate)
    steps = [lambda: client.send(f"{method} /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
             lambda: origin.connections[0].send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nFAKE")]
    for step in steps if first == "request first" else reversed(steps):
        step()
    tidegate.signal(signal.SIGCONT)
    response = client.read_response()
    assert (response.status, response.text) == (200, "/2"), response
    assert client.get("/3").text == "/3"


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_a_kept_upstream_connection_that_closes_as_a_request_is_written_is_tried_again_and_not_counted(lab, end):
    go = threading.Event()

    def script(connection):
        if connection.read_request():
            connection.send(ok(f"connection {connection.index}"))
            if connection.index == 0:
                connection.wait(go, LONG)
                connection.rst() if end == "rst" else connection.close()
                closed.set()
            else:
                connection.wait_for_end(LONG)

    closed = threading.Event()
    origin = lab.origin(script)
    tidegate = lab.proxy(origin, route={"retry": NO_RETRY})
    client = lab.client(tidegate, timeout=LONG)
    assert client.get("/1").text == "connection 0"
    eventually(lambda: tidegate.api.metric("tidegate_upstream_connections", cluster="old", state="idle") == 1, "an idle one")
    stop(tidegate)
    client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    go.set()
    assert closed.wait(LONG)
    tidegate.signal(signal.SIGCONT)
    response = client.read_response()
    assert (response.status, response.text) == (200, "connection 1"), response
    not_counted(tidegate)


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_a_kept_upstream_connection_that_reads_a_request_and_closes_is_tried_again_and_not_counted(lab, end):
    def script(connection):
        if connection.read_request():
            connection.send(ok(f"connection {connection.index}"))
        connection.read_request()
        if end == "rst":
            connection.rst()

    tidegate = lab.proxy(lab.origin(script), route={"retry": NO_RETRY})
    client = lab.client(tidegate, timeout=LONG)
    assert [client.get("/").text for _ in range(2)] == ["connection 0", "connection 1"]
    not_counted(tidegate)


def not_counted(tidegate):
    eventually(lambda: tidegate.api.route()["gate"]["step"]["old"] == {"requests": 2, "failures": 0}, "two requests", LONG)
    assert failures(tidegate, "old") == 0 and tidegate.api.metric("tidegate_retries_total") == 0


# --- signals

def test_connections_that_are_accepted_or_queued_when_sigterm_comes_are_answered(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x")), record=False), drain={"delay": "0s", "timeout": "30s"})
    accepted = [lab.client(tidegate, timeout=LONG) for _ in range(20)]
    eventually(lambda: tidegate.api.metric("tidegate_downstream_connections") == 20, "20 accepted")
    stop(tidegate)
    queued = [lab.client(tidegate, timeout=LONG) for _ in range(100)]
    for client in accepted + queued:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    tidegate.signal(signal.SIGTERM)
    tidegate.signal(signal.SIGCONT)
    answers = [client.read_response() for client in accepted + queued]
    assert [a.status for a in answers] == [200] * 120, answers
    assert tidegate.wait(LONG) == 0


def test_during_the_drains_delay_clients_are_served_and_a_kept_connection_is_told_to_close(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x")), record=False), drain={"delay": "3s", "timeout": "30s"})
    kept = lab.client(tidegate, timeout=LONG)
    assert kept.get("/").get("connection") is None
    tidegate.signal(signal.SIGTERM)
    eventually(lambda: tidegate.api.get("/readyz").status == 503, "not ready")
    response = kept.get("/")
    assert response.status == 200 and response.get("connection") == "close" and kept.is_closed(LONG) == "fin"
    for _ in range(20):
        with Client(tidegate.address) as late:
            assert late.get("/").status == 200
    assert tidegate.wait(LONG) == 0


def test_sighup_and_sigusr1_do_not_end_it_and_sigusr1_opens_a_renamed_access_log_again(lab, tmp_path):
    path, rotated = tmp_path / "access.log", tmp_path / "access.log.1"
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), log={"access": {"path": str(path)}})
    client = lab.client(tidegate)

    def paths(file):
        return re.findall(r"/(?:before|after)\b", file.read_text()) if file.exists() else []

    client.get("/before")
    eventually(lambda: paths(path) == ["/before"], "the line")
    path.rename(rotated)
    tidegate.signal(signal.SIGUSR1)
    eventually(path.exists, "a new file", LONG)
    client.get("/after")
    eventually(lambda: paths(path) == ["/after"], "the line in the new file", LONG)
    assert paths(rotated) == ["/before"]
    assert all(json.loads(line) for file in (path, rotated) for line in file.read_text().splitlines())
    tidegate.signal(signal.SIGHUP)
    eventually(lambda: "configuration reloaded: nothing changed" in tidegate.output, "a word about SIGHUP", LONG)
    assert client.get("/").status == 200 and tidegate.process.poll() is None


# --- the file and the state

def test_a_weight_that_was_changed_in_the_file_wins_at_restart_and_is_in_the_history(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, weight=10)
    tidegate.api.weight(30)
    assert tidegate.terminate(LONG) == 0
    tidegate.start()
    assert tidegate.api.route()["weight"]["effective"] == 30     # the file has not changed
    assert tidegate.terminate(LONG) == 0
    tidegate.config["routes"][0]["weight"] = 20
    tidegate.write_config(tidegate.config)
    tidegate.start()
    assert tidegate.api.route()["weight"]["effective"] == 20
    decision = eventually(lambda: [d for d in tidegate.api.history("all") if d["actor"] == "file"], "the decision in the history")[0]
    assert (decision["action"], decision["from"], decision["to"]) == ("weight", "30", "20"), decision
    assert tidegate.terminate(LONG) == 0
    tidegate.start()
    assert tidegate.api.route()["weight"]["effective"] == 20
    assert [d["actor"] for d in tidegate.api.history("all")].count("file") == 1   # once, not at every start
