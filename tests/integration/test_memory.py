"""Memory (PRODUCT §6): what an idle connection and a thousand busy ones take, of the program as released: under a sanitizer
these figures would be the sanitizer's."""
import contextlib
import socket

import pytest

from harness import Authority, Client, eventually
from harness.crowd import PART, Crowd, HoldingOrigin, descriptors
from harness.soak import WARM_UP, Soak

pytestmark = [pytest.mark.as_released, pytest.mark.deadline(180)]

IDLE_KIB = 8        # a connection, beyond the kernel's
IDLE_TLS_KIB = 17   # of TLS, as SECURITY.md's formula has it
BUSY_MIB = 40       # resident, with BUSY exchanges in flight
IDLE, BUSY = 2000, 1000
STALLED, STREAMS, STALLED_KIB = 20, 100, 40     # connections of HTTP/2, streams of each, and what the formula allows for one
HOLDERS, WINDOW_KIB = 3, 64                     # connections with as many uploads, and the window of each


@pytest.fixture
def origin(lab):
    return lab.keep(HoldingOrigin())


@pytest.fixture
def crowd(lab, origin):
    """crowd(SIZE): (Tidegate, SIZE clients). A client takes one descriptor here, and its exchange one more at the origin;
    Tidegate has as many."""
    with descriptors(2 * max(IDLE, BUSY)) as allowed:
        def make(size):
            tidegate = lab.proxy(origin, cluster={"timeouts": {"connect": "30s", "response_header": "5m"}})
            with Client(tidegate.address) as first:
                assert first.get("/").status == 200
            tidegate.rss_at_start = tidegate.rss_mib()
            return tidegate, lab.keep(Crowd(tidegate.address, min(size, allowed // 2)))

        yield make


def all_in_flight(tidegate, crowd):
    eventually(lambda: tidegate.api.route()["in_flight"] == crowd.size, f"{crowd.size} in flight", 30, 0.1)


def test_an_idle_connection_takes_at_most_8_kib(crowd):
    tidegate, clients = crowd(IDLE)
    each = (tidegate.rss_mib() - tidegate.rss_at_start) * 1024 / clients.size
    assert each <= IDLE_KIB, f"{each:.1f} KiB"


def test_an_idle_connection_of_tls_takes_at_most_17_kib(lab, origin):
    authority = Authority(lab.directory / "pki")
    with descriptors(2 * IDLE) as allowed:
        tidegate = lab.proxy(origin, listener={"tls": {"certificates": [authority.issue().files()]}})
        context = authority.client()
        before, clients = None, []
        for count in range(min(IDLE, allowed // 2)):
            clients.append(lab.client(tidegate, tls=context, timeout=30))
            assert clients[-1].get("/").status == 200
            before = before or tidegate.rss_mib()       # with the first handshake OpenSSL has what it needs once
        each = (tidegate.rss_mib() - before) * 1024 / len(clients)
        assert each <= IDLE_TLS_KIB, f"{each:.1f} KiB"


def test_two_thousand_streams_whose_clients_open_no_window_stay_within_the_formula(lab, origin):
    """Each asks for 1 MiB, on 20 connections; the windows of all of them are shut."""
    with descriptors(2 * STALLED * STREAMS):
        tidegate = lab.proxy(origin, listener={"h2c": True}, cluster={"pool": {"connections": STALLED * STREAMS}})
        before = tidegate.rss_mib()
        clients = [lab.http2_client(tidegate) for _ in range(STALLED)]
        for client in clients:
            client.peer.h2.update_settings({4: 0})      # INITIAL_WINDOW_SIZE
            client.peer.flush()
            client._take(client.peer.events())
            for _ in range(STREAMS):
                client.start("/part")
        for client in clients:
            while not all(part["status"] for part in client._parts.values()):
                assert client._take(client.peer.events())
        eventually(lambda: tidegate.api.route()["in_flight"] == STALLED * STREAMS, "all in flight", 30, 0.1)
        grown = tidegate.rss_mib() - before
        print(f"{STALLED * STREAMS} streams without a window: {grown * 1024 / STALLED / STREAMS:.1f} KiB each")
        assert grown * 1024 <= STALLED_KIB * STALLED * STREAMS


def test_uploads_over_http2_that_nobody_takes_stay_within_the_formula(lab):
    """Each has sent what its window allows, and as much again that the exchange could not pass on."""
    path = lab.directory / "origin"
    with socket.socket(socket.AF_UNIX) as origin:   # which accepts nothing, and holds little in the kernel
        origin.bind(str(path))
        origin.listen(HOLDERS * STREAMS)
        tidegate = lab.proxy(f"unix:{path}", listener={"h2c": True})
        before = tidegate.rss_mib()
        for _ in range(HOLDERS):
            client = lab.http2_client(tidegate, timeout=1)
            client._take(client.peer.events())
            streams = [client.start("/", method="POST", headers=[("content-length", "1000000")], end=False) for _ in range(STREAMS)]
            with contextlib.suppress(TimeoutError):     # none has any window left
                while True:
                    send_what_windows_allow(client, streams)
                    client._take(client.peer.events())
        grown = tidegate.rss_mib() - before
    print(f"{HOLDERS * STREAMS} uploads that nobody takes: {grown * 1024 / HOLDERS / STREAMS:.1f} KiB each")
    assert grown * 1024 <= (STALLED_KIB + 2 * WINDOW_KIB) * HOLDERS * STREAMS


def send_what_windows_allow(client, streams):
    h2 = client.peer.h2
    for stream in streams:
        while (part := min(h2.local_flow_control_window(stream), h2.max_outbound_frame_size)) > 0:
            client.send(stream, b"u" * part)


def test_a_thousand_requests_that_wait_for_their_answers_stay_within_40_mib(crowd, origin):
    tidegate, clients = crowd(BUSY)
    clients.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    all_in_flight(tidegate, clients)
    eventually(lambda: origin.held["/held"] == clients.size, "all at the origin", 30)
    assert tidegate.rss_mib() <= BUSY_MIB
    origin.release()
    for client in clients:
        assert client.read_response().text == "x"


def test_a_thousand_answers_on_their_way_stay_within_40_mib(crowd, origin):
    """Each has passed on PART of its body and waits for more of it."""
    tidegate, clients = crowd(BUSY)
    clients.send("GET /part HTTP/1.1\r\nHost: a\r\n\r\n")
    for client in clients:
        assert client.read_part(PART)
    all_in_flight(tidegate, clients)
    assert tidegate.rss_mib() <= BUSY_MIB


def test_a_thousand_uploads_on_their_way_stay_within_40_mib(crowd, origin):
    tidegate, clients = crowd(BUSY)
    clients.send("POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n")
    eventually(lambda: origin.held["/held"] == clients.size, "all at the origin", 30)
    clients.send(b"u" * PART)
    eventually(lambda: origin.body_bytes == clients.size * PART, "what was sent passed on", 30)
    all_in_flight(tidegate, clients)
    assert tidegate.rss_mib() <= BUSY_MIB


def test_a_soak_of_changes_leaves_memory_flat_and_no_descriptor(lab):
    """Short; bench/soak is the long one. After every lap the descriptors are those of the start, or the lap fails."""
    soak = Soak(lab)
    soak.laps(WARM_UP + 3, visits=1500)
    assert not soak.problems(), soak.summary()
