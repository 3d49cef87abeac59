"""Overload (PRODUCT §1, SECURITY.md): what is refused before memory or descriptors run out, and what goes on nevertheless."""
import resource
import threading

import pytest

from harness import Client, eventually
from harness.crowd import HoldingOrigin
from harness.origin import ok, serve

HEAD = b"x" * 3000      # so that each request that waits holds a block of 4 KiB
HELD = 600


def hold(client):
    client.send(b"GET /held HTTP/1.1\r\nHost: a\r\nX-Long: " + HEAD + b"\r\n\r\n")


def test_when_buffers_hold_memory_buffers_new_requests_are_503_at_once_and_those_in_flight_end_well(lab):
    origin = lab.keep(HoldingOrigin())
    tidegate = lab.proxy(origin, memory={"buffers": "1MiB"}, cluster={"pool": {"connections": 2 * HELD}})
    held = [lab.client(tidegate) for _ in range(HELD)]
    for client in held:
        hold(client)
    shed = lambda: int(tidegate.api.metric("tidegate_shed_requests_total", reason="memory"))
    eventually(lambda: origin.held["/held"] + shed() == HELD, "each request held or refused", 30, 0.1)
    assert shed() > 0 and origin.held["/held"] >= 1024 // 8, "a budget of 1 MiB is for some 200 requests of 4 KiB"
    probe = lab.client(tidegate)
    answer = probe.get("/")
    assert (answer.status, answer.get("retry-after")) == (503, "1")
    assert tidegate.api.get("/readyz").status == 200
    assert tidegate.api.metric("tidegate_upstream_failures_total", cluster="old") == 0
    before = shed()
    origin.release()
    statuses = [client.read_response().status for client in held]
    refused = statuses.count(503)
    assert statuses.count(200) + refused == HELD and refused == before - 1
    eventually(lambda: lab.client(tidegate).get("/").status == 200, "service again")


def test_heads_that_do_not_come_to_an_end_are_503_when_they_have_used_up_memory_buffers(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), memory={"buffers": "1MiB"})
    slow = [lab.client(tidegate) for _ in range(400)]
    for client in slow:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + HEAD)
    shed = lambda: int(tidegate.api.metric("tidegate_shed_requests_total", reason="memory"))
    for client in slow:                                 # one byte more of each: looked at when something comes
        client.send(b"x")
    eventually(lambda: shed() > 0, "refused", 30, 0.1)
    eventually(lambda: lab.client(tidegate).get("/").status == 200, "service for others", 30, 0.1)
    refused = next(client for client in reversed(slow) if client.has_answer())
    assert refused.read_response().status == 503


def test_a_budget_that_is_raised_by_a_reload_is_in_force(lab):
    origin = lab.keep(HoldingOrigin())
    tidegate = lab.proxy(origin, memory={"buffers": "1MiB"}, cluster={"pool": {"connections": 2 * HELD}})
    held = [lab.client(tidegate) for _ in range(HELD)]
    for client in held:
        hold(client)
    probe = lab.client(tidegate)
    eventually(lambda: probe.get("/").status == 503, "refused")
    tidegate.write_config({**tidegate.config, "memory": {"buffers": "64MiB"}})
    tidegate.signal(1)
    eventually(lambda: probe.get("/").status == 200, "served")


def test_clients_that_take_every_descriptor_leave_some_for_the_admin_api_and_upstreams(lab):
    origin = lab.origin(serve(ok("x")))
    tidegate = lab.proxy(origin, process={"limits": {resource.RLIMIT_NOFILE: 128}})
    served = Client(tidegate.address)
    crowd = [Client(tidegate.address) for _ in range(300)]
    eventually(lambda: len(tidegate.fd_list()) > 96, "the crowd")
    for _ in range(5):                                  # each time a connection of its own to the API, and one to the origin
        assert tidegate.api.get("/api/v1/status").status == 200
        assert served.get("/").status == 200
    assert len(tidegate.fd_list()) <= 128 - 8
    for client in crowd:
        client.close()
    with Client(tidegate.address) as late:
        assert late.get("/").status == 200
    served.close()


def test_a_worker_that_had_to_give_way_to_another_s_memory_takes_requests_again_also_during_a_drain(lab):
    """memory.buffers: workers learn of what the others hold ten times a second."""
    go_on = threading.Event()

    def script(connection):
        while request := connection.read_request():
            if request.target == "/held":
                go_on.wait(20)
            connection.send(ok("x"))

    origin = lab.origin(script, record=False)
    tidegate = lab.proxy(origin, workers=2, listener={"h2c": True, "limits": {"h2_streams": 1000}}, memory={"buffers": "1MiB"},
                         cluster={"pool": {"connections": 2000}}, drain={"delay": "6s"})
    crowd = lab.http2_client(tidegate)      # all of it on one worker
    for _ in range(400):
        crowd.start("/held", headers=[("x-long", "x" * 3000)])
    shed = lambda: tidegate.api.metric("tidegate_shed_requests_total", reason="memory")
    eventually(lambda: shed() > 0, "more than may be held")

    def statuses():
        out = []
        for _ in range(16):
            with lab.client(tidegate) as client:
                out.append(client.get("/", fields="X-Long: " + "x" * 30_000 + "\r\n").status)     # more than the room that a refused one leaves
        return out

    def nothing_fits():
        for _ in range(5):      # what was read and written of the many at once is room again
            crowd.start("/held", headers=[("x-long", "x" * 3000)])
        return statuses() == [503] * 16

    eventually(nothing_fits, "neither worker takes more", 20)
    tidegate.signal(15)
    eventually(lambda: tidegate.api.get("/readyz").status == 503, "the drain")
    go_on.set()
    eventually(lambda: statuses() == [200] * 16, "both take requests again", 4)
    crowd.close()
    assert tidegate.wait(30) == 0
