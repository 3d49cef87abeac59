"""Start, drain, end, demo: PRODUCT §3 and §4, RELIABILITY.md O14, issue 2 points 8 and 10."""
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import Client, eventually, memory_slack, ok, serve, stays
from harness.tidegate import find_binary
from harness.tools import WrkResult, start_wrk


def test_it_says_where_it_listens_and_that_it_is_ready(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), metrics={"address": "127.0.0.1:0"},
                         listeners=[{"name": "web", "address": "127.0.0.1:0"}, {"name": "six", "address": "[::1]:0"}])
    assert set(tidegate.names) == {"web", "six"} and tidegate.admin_address and tidegate.metrics_address
    assert re.search(r" info ready$", tidegate.lines[-1])
    host, port = tidegate.names["six"].rsplit(":", 1)
    with socket.create_connection((host.strip("[]"), int(port))) as six:
        six.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert six.recv(1000).startswith(b"HTTP/1.1 200")
    assert tidegate.api.get("/readyz").status == 200


def test_sigterm_lets_requests_in_flight_finish_refuses_new_ones_and_ends_with_0(lab):
    go = threading.Event()
    origin = lab.origin(lambda c: (c.read_request(), c.wait(go), c.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
                                   c.wait(more), c.send("-whole")))
    more = threading.Event()
    tidegate = lab.proxy(origin)
    busy = [lab.client(tidegate) for _ in range(5)]
    for client in busy:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(origin.requests) == 5, "five requests in flight")
    late = lab.client(tidegate)
    late.send("GET / HTTP/1.1\r\n")     # a head that is not complete yet is no request
    tidegate.signal(signal.SIGTERM)

    def refused():
        try:
            with Client(tidegate.address, timeout=1):
                return False
        except OSError:
            return True

    eventually(refused, "new connections refused")
    assert tidegate.process.poll() is None
    go.set()
    more.set()
    for client in busy:
        response = client.read_response()
        assert (response.status, response.complete) == (200, True)
    late.close()
    assert tidegate.wait(10) == 0


def test_responses_during_a_drain_tell_the_client_to_close(lab):
    go = threading.Event()
    origin = lab.origin(lambda c: (c.read_request(), c.wait(go), c.send(ok("x"))))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: origin.requests, "it in flight")
    tidegate.signal(signal.SIGTERM)
    eventually(lambda: "draining" in tidegate.output, "the drain")
    stays(lambda: tidegate.process.poll() is None, "the process", 0.2)
    go.set()
    response = client.read_response()
    assert response.get("connection") == "close" and client.is_closed() == "fin"
    assert tidegate.wait(10) == 0


def test_idle_connections_do_not_delay_the_end(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))))
    used = [lab.client(tidegate) for _ in range(10)]
    for client in used:
        assert client.get("/").status == 200
    began = time.monotonic()
    assert tidegate.terminate() == 0 and time.monotonic() - began < 8, "the drain lasts 30 s at most"


def test_connections_that_never_sent_anything_do_not_delay_the_end(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))))
    silent = [lab.client(tidegate) for _ in range(10)]
    assert lab.client(tidegate).get("/").status == 200
    began = time.monotonic()
    assert tidegate.terminate(30) == 0
    assert time.monotonic() - began < 8, f"{time.monotonic() - began} s for connections that asked for nothing"
    assert silent[0].is_closed()


def test_no_request_fails_while_the_process_ends(lab):
    """Keep-alive clients that see Connection: close, or the end between two requests, have lost nothing."""
    tidegate = lab.proxy(lab.nginx("old"), workers=2)
    bad = []
    stop = threading.Event()

    def run():
        client = None
        while not stop.is_set():
            try:
                client = client or Client(tidegate.address, timeout=5)
            except OSError:
                return      # refused: it has ended
            if not client.try_send("GET /size/65536 HTTP/1.1\r\nHost: a\r\n\r\n"):
                client = None
                continue
            response = client.read_response()
            if response.raw_head == b"" and not response.status:
                client = None       # closed before it took the request
                continue
            if response.status != 200 or not response.complete:
                bad.append(response)
            if response.get("connection") == "close":
                client.close()
                client = None

    threads = [threading.Thread(target=run, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    eventually(lambda: tidegate.api.metric("http_requests_total", status="200") > 500, "traffic")
    assert tidegate.terminate() == 0
    stop.set()
    for thread in threads:
        thread.join(10)
    assert not bad


def test_a_second_sigterm_ends_at_once(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end(30)))
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: origin.requests, "it in flight")
    tidegate.signal(signal.SIGTERM)
    eventually(lambda: "draining" in tidegate.output, "the drain")
    stays(lambda: tidegate.process.poll() is None, "the process", 0.5)
    began = time.monotonic()
    tidegate.signal(signal.SIGTERM)
    assert tidegate.wait(10) == 0 and time.monotonic() - began < 8, "the drain lasts 30 s at most"
    assert not client.read_response().complete


def test_the_drain_has_an_end(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end(30)))
    tidegate = lab.proxy(origin, drain={"timeout": "500ms"})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: origin.requests, "it in flight")
    assert tidegate.terminate(10) == 0


def test_while_it_waits_to_drain_it_is_not_ready_and_still_serves(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), drain={"delay": "3s"})
    tidegate.signal(signal.SIGTERM)
    eventually(lambda: tidegate.api.get("/readyz").status == 503, "not ready")
    assert tidegate.api.get("/healthz").status == 200
    with Client(tidegate.address) as client:
        assert client.get("/").status == 200
    assert tidegate.wait(10) == 0


def test_sigint_drains_too(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))))
    tidegate.signal(signal.SIGINT)
    assert tidegate.wait(10) == 0


def test_it_starts_in_well_under_a_second_and_ends_as_fast(lab):
    began = time.monotonic()
    tidegate = lab.proxy(lab.origin(serve(ok("x"))))
    assert time.monotonic() - began < 3
    assert tidegate.terminate() == 0


def test_memory_and_descriptors_do_not_grow_under_churn(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), weight=50, route={"mirror": {"percent": 100}})

    def churn():
        for i in range(400):
            client = Client(tidegate.address)
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            if i % 2:
                assert client.read_response().status == 200
                client.close()
            else:
                client.rst()

    churn()
    rss = tidegate.rss_mib()
    for _ in range(4):
        churn()
    assert tidegate.rss_mib() - rss < 5 * memory_slack()


@pytest.mark.deadline(90)
def test_the_demo_ends_by_itself_within_40_seconds_with_plain_lines(tmp_path):
    began = time.monotonic()
    result = subprocess.run([find_binary(), "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, timeout=60, cwd=tmp_path, start_new_session=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert time.monotonic() - began < 40
    assert "\x1b" not in result.stdout and "\r" not in result.stdout
    assert re.search(r"revert", result.stdout, re.I) and re.search(r"new failed \d+ of \d+", result.stdout)
    assert not re.search("Sanitizer|runtime error", result.stderr)
    assert list(tmp_path.iterdir()) == [], "it left something behind"


def test_wrk_keeps_going_for_a_while_without_a_failure(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), weight=50, workers=2)
    process = start_wrk(tidegate.url("/size/1024"), 2, connections=64, threads=2)
    result = WrkResult(process.communicate(timeout=60)[0])
    assert result.failed == 0 and result.requests > 1000
    assert not tidegate.api.route()["latched"]
