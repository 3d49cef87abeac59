"""The guard of a route: it counts, holds or reverts, latches, and says why. PRODUCT §3 Gate, issue 2 point 6."""
import itertools
import re
import threading

import pytest

from harness import Client, Load, eventually, ok, serve, stays
from harness.ports import refusing_address

FAST = {"breaker": {"requests": 10, "for": "0s"}, "burst_tolerance": "0s"}


def reverted(tidegate, route="all"):
    """The route's status once it is reverted by the gate."""
    def look():
        status = tidegate.api.route(route)
        assert status["latched"], status["gate"]["sentence"]
        return status
    return eventually(look, "the revert", 20, 0.02)


def paced(status, seconds):
    """Answers after a while, so that "in flight" means something."""
    def answer(_):
        threading.Event().wait(seconds)
        return ok("x", status)
    return serve(answer)


def check_latched(tidegate, status, reason):
    assert status["weight"]["effective"] == 0 and status["latched"] and status["latch_reason"]
    assert status["reverts"][reason] == 1 and sum(status["reverts"].values()) == 1
    assert tidegate.api.metric("tidegate_reverts_total", reason=reason) == 1
    assert tidegate.api.metric("tidegate_weight_ratio", kind="effective") == 0
    decision = eventually(lambda: tidegate.api.history("all"), "the decision in the history")[0]
    assert (decision["action"], decision["actor"], decision["to"]) == ("revert", "gate", "0")
    assert re.search(r"new failed \d+ of \d+ requests? in ", decision["reason"]), decision["reason"]
    assert decision["record"], "the record with the counts that made it"
    return decision


def test_503_to_everything_costs_at_most_the_breaker_and_those_in_flight(lab):
    # So slow that few requests are made while a busy machine lets the gate wait.
    old, new = lab.origin(paced("200 OK", 0.1)), lab.origin(paced("503 Service Unavailable", 0.1))
    tidegate = lab.proxy(old, new, weight=50, route={"gate": FAST, "retry": {"retries": 0}})
    with Load(tidegate.address, clients=4) as load:
        status = reverted(tidegate)
        seen = load.errors
        after = load.total + 40
        eventually(lambda: load.total > after, "traffic after the revert", 20)
        assert load.errors <= seen + 4
    assert load.errors <= 10 + 2 * 4, load.statuses
    assert load.cut == 0
    check_latched(tidegate, status, "hard_breaker" if status["reverts"]["hard_breaker"] else "error_rate")


def test_with_a_retry_on_the_other_side_clients_of_safe_requests_see_nothing(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"retry": {"on": ["connect", "reset", "503"]}})
    with Load(tidegate.address, clients=8) as load:
        eventually(lambda: load.total > 200, "traffic")
        new.fail()
        status = reverted(tidegate)
        after = load.total + 200
        eventually(lambda: load.total > after, "traffic after the revert")
    assert load.errors == 0 and set(load.statuses) == {200}, load.statuses
    assert status["reverts"]["hard_breaker"] + status["reverts"]["error_rate"] == 1
    eventually(lambda: tidegate.api.metric("tidegate_retries_rescued_total", side="old") > 0, "rescued retries")
    assert tidegate.api.metric("http_requests_total", status="503") == 0


@pytest.mark.parametrize("fault", ["refused", "hangs", "resets", "closes", "garbage", "hangs in the handshake"])
def test_a_new_side_that_fails_reverts(lab, fault):
    import socket
    if fault == "refused":
        new = refusing_address()
    elif fault == "hangs in the handshake":
        listener = lab.keep(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        new = "127.0.0.1:%d" % listener.getsockname()[1]
        for _ in range(4):
            filler = lab.keep(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
    else:
        new = lab.origin({"hangs": lambda c: c.wait_for_end(60),
                          "resets": lambda c: (c.read_request(), c.rst()),
                          "closes": lambda c: c.read_request(),
                          "garbage": lambda c: (c.read_request(), c.send(b"garbage\r\n\r\n"))}[fault], record=False)
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), new, weight=50,
                         new_cluster={"timeouts": {"connect": "200ms", "response_header": "200ms" if fault == "hangs" else "10s"}})
    with Load(tidegate.address, clients=16) as load:
        status = reverted(tidegate)
    assert sum(status["reverts"].values()) == 1 and status["weight"]["effective"] == 0
    check_latched(tidegate, status, "hard_breaker" if status["reverts"]["hard_breaker"] else "error_rate")
    if fault in ("refused", "resets", "closes", "hangs in the handshake"):
        assert load.errors == 0, "other_side saves what could not connect or was reset"
    with Client(tidegate.address) as client:
        assert [client.get("/").text for _ in range(50)] == ["old"] * 50
    if fault != "refused" and hasattr(new, "requests"):
        before = len(new.connections)
        with Client(tidegate.address) as client:
            for _ in range(50):
                client.get("/")
        assert len(new.connections) == before, "new got something after the revert"


def explained(tidegate, decision, *options):
    return tidegate.cli("explain", str(decision["epoch"]), *options)


@pytest.mark.parametrize("gate", [FAST, {"burst_tolerance": "0s", "slow": {"over": "5s"}}, {**FAST, "on_fail": "notify"}],
                         ids=["breaker", "two streams", "what-if"])
def test_a_decision_of_the_gate_is_replayed_from_its_record_and_comes_out_the_same(lab, gate):
    count = itertools.count()
    bad = 1 if "breaker" in gate else 3
    new = lab.origin(serve(lambda _: ok("x", "500 Oops") if next(count) % bad == 0 else ok("new")), record=False)
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), new, weight=50, route={"gate": gate})
    with Load(tidegate.address, clients=4, pause=0.002):
        decision = eventually(lambda: tidegate.api.history("all"), "the decision in the history", 20)[0]
    answer = tidegate.api.get(f"/api/v1/history/{decision['epoch']}").json
    assert answer["replay"]["possible"] and answer["replay"]["same"], answer["replay"]
    assert answer["replay"]["decision"] == "revert" and answer["replay"]["sentence"] in decision["reason"]
    assert answer["record"]["weight_before"] == 50
    assert answer["replay"]["statistics"]["s_new"] is not None
    shown = explained(tidegate, decision)
    assert shown.returncode == 0 and "same answer" in shown.stdout, shown.stdout + shown.stderr
    assert "since the alarm began" in shown.stdout and "proof at" in shown.stdout


def test_a_replay_needs_the_record_alone_and_a_forged_one_is_found_out(lab):
    import sqlite3
    old, new = lab.nginx("old"), lab.nginx("new")
    new.fail()
    tidegate = lab.proxy(old, new, weight=50, route={"gate": FAST})
    with Load(tidegate.address, clients=4):
        reverted(tidegate)
    decision = eventually(lambda: tidegate.api.history("all"), "the decision in the history")[0]
    tidegate.terminate()
    path = tidegate.config["state"]["path"]
    config = dict(tidegate.config)
    config["routes"] = [{"name": "all", "weight": 50, "gate": {"max_error_rate": "25%", "burst_tolerance": "1m"}}]
    tidegate.write_config(config)
    tidegate.start()
    assert "same answer" in explained(tidegate, decision).stdout, "neither the counts nor the configuration of today matter"
    tidegate.terminate()
    with sqlite3.connect(path) as database:
        database.execute("update decisions set record = replace(record, '\"new_failures\":', '\"new_failures\":9')")
    database.close()
    tidegate.start()
    shown = explained(tidegate, decision)
    assert shown.returncode == 1 and "another answer" in shown.stdout + shown.stderr, shown.stdout + shown.stderr


def test_explain_of_a_persons_decision_and_of_none(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), weight=0)
    assert tidegate.cli("weight", "all", "1", "--reason", "canary").returncode == 0
    decision = eventually(lambda: tidegate.api.history("all"), "the history")[0]
    shown = explained(tidegate, decision)
    assert shown.returncode == 0 and "nothing to replay" in shown.stdout and "canary" in shown.stdout, shown.stdout
    assert explained(tidegate, {"epoch": 999}).returncode == 1
    assert explained(tidegate, {"epoch": "x"}).returncode == 2


def test_one_failure_in_five_reverts_by_the_error_rate(lab):
    count = itertools.count()
    new = lab.origin(serve(lambda _: ok("x", "500 Oops") if next(count) % 5 == 0 else ok("new")), record=False)
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), new, weight=50, route={"gate": {"burst_tolerance": "0s"}})
    with Load(tidegate.address, clients=4, pause=0.002) as load:
        status = reverted(tidegate)
    decision = check_latched(tidegate, status, "error_rate")
    assert "threshold 1 %" in decision["reason"] and "false-revert budget" in decision["reason"]
    assert load.errors < 60


SLOW = {**FAST, "slow": {"over": "500ms", "max_rate": "5%"}}


def test_slow_answers_revert_as_a_stream_of_their_own(lab):
    new = lab.origin(paced("200 OK", 1.0), record=False)
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), new, weight=50, route={"gate": SLOW})
    with Load(tidegate.address, clients=8) as load:
        status = reverted(tidegate)
    assert load.errors == 0, "slow is no failure for clients"
    assert status["reverts"]["slow_rate"] == 1 and sum(status["reverts"].values()) == 1
    assert status["gate"]["stream"] == "slow" and status["gate"]["reason"] == "slow_rate"
    assert status["gate"]["streams"]["errors"]["verdict"] == "inconclusive"
    assert tidegate.api.metric("tidegate_reverts_total", reason="slow_rate") == 1
    decision = eventually(lambda: tidegate.api.history("all"), "the decision in the history")[0]
    assert "new was slower than 0.5 s in " in decision["reason"] and "threshold 5 %" in decision["reason"]
    assert decision["record"]["stream"] == "slow"


def test_slowness_is_known_at_over_and_not_at_the_answer(lab):
    go = threading.Event()
    new = lab.origin(lambda c: (c.read_request(), c.wait(go), c.send(ok("late"))))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route={"gate": {"slow": {"over": "50ms"}}})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    slow = lambda: tidegate.api.route()["gate"]["streams"]["slow"]["step"]["new"]
    eventually(lambda: slow() == {"requests": 1, "failures": 1}, "the slow request, unanswered")
    assert tidegate.api.route()["in_flight"] == 1
    go.set()
    assert client.read_response().text == "late"
    stays(lambda: slow() == {"requests": 1, "failures": 1}, "counted once", 0.3)
    assert tidegate.api.route()["gate"]["streams"]["errors"]["step"]["new"] == {"requests": 1, "failures": 0}


def test_what_a_client_takes_to_send_its_body_is_not_the_sides_slowness(lab):
    new = lab.origin(serve(ok("new")))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route={"gate": {"slow": {"over": "50ms"}}})
    client = lab.client(tidegate)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na")
    slow = lambda: tidegate.api.route()["gate"]["streams"]["slow"]["step"]["new"]
    eventually(lambda: slow()["requests"] == 1, "the dispatch")
    stays(lambda: slow() == {"requests": 1, "failures": 0}, "no slow answer", 0.5)
    client.send("b")
    assert client.read_response().text == "new"


def test_a_gates_over_is_a_bucket_boundary_of_the_histogram(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), weight=0, route={"gate": {"slow": {"over": "333ms"}}})
    lab.client(tidegate).get("/")
    tidegate.api.counts(1, "http_request_duration_seconds_bucket", side="old", le="0.333")
    text = tidegate.api.metrics_text()
    for route_side in ("old", "new"):
        assert f'side="{route_side}",le="0.333"' in text and f'side="{route_side}",le="0.25"' in text


def test_a_truncated_response_counts_against_its_side(lab):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), lab.origin(script, record=False), weight=50,
                         route={"gate": FAST})
    with Load(tidegate.address, clients=2):
        reverted(tidegate)


def test_4xx_of_new_never_reverts(lab):
    statuses = itertools.cycle(["404 Not Found", "429 Too Many Requests", "400 Bad Request", "403 Forbidden", "499 X"])
    new = lab.origin(serve(lambda _: ok("x", next(statuses))), record=False)
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), new, weight=50, route={"gate": FAST})
    with Load(tidegate.address) as load:
        eventually(lambda: load.total > 1000, "1000 requests", 20)
    # The gate's own numbers are those of its last tick: what clients have seen reaches them a little later.
    eventually(lambda: tidegate.api.route()["gate"]["step"]["new"]["requests"] > 400, "the counts")
    status = tidegate.api.route()
    assert not status["latched"] and status["weight"]["effective"] == 50
    assert status["gate"]["step"]["new"]["failures"] == 0


def test_clients_that_leave_never_revert(lab):
    new = lab.origin(lambda c: (c.read_request(), c.wait_for_end(30)))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route={"gate": FAST})
    for i in range(60):
        client = Client(tidegate.address)
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: len(new.requests) > i, "the request at new")
        client.rst() if i % 2 else client.close()
    stays(lambda: not tidegate.api.route()["latched"], "an open gate", 0.7, 0.1)
    eventually(lambda: tidegate.api.route()["gate"]["step"]["new"] == {"requests": 60, "failures": 0}, "the counts")
    eventually(lambda: tidegate.api.metric("http_requests_total", status="499", side="new") == 60, "60 clients that left")


def test_bad_bodies_of_clients_and_our_own_limits_never_revert(lab):
    new = lab.origin(lambda c: (c.read_request(), c.wait_for_end(30)), record=False)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, new_cluster={"pool": {"connections": 1, "pending": 0}},
                         route={"gate": FAST, "retry": {"retries": 0}})
    for _ in range(30):
        with Client(tidegate.address) as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n")
            assert client.read_response().status in (400, 503)
    busy = lab.client(tidegate)
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.metric("tidegate_upstream_connections", cluster="new", state="active") == 1, "one busy")
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(50)] == [503] * 50
    stays(lambda: not tidegate.api.route()["latched"], "an open gate", 0.5, 0.1)


@pytest.mark.parametrize("gate", [{}, FAST], ids=["defaults", "fastest"])
def test_when_both_sides_fail_alike_the_gate_holds(lab, gate):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"gate": gate})
    with Load(tidegate.address, clients=4) as load:
        eventually(lambda: load.total > 500, "good traffic")
        old.fail()
        new.fail()
        eventually(lambda: tidegate.api.route()["gate"]["reason"] == "shared_degradation", "shared degradation", 15, 0.05)
        stays(lambda: not tidegate.api.route()["latched"], "an open gate", 2.0, 0.1)
    status = tidegate.api.route()
    assert status["weight"]["effective"] == 50 and sum(status["reverts"].values()) == 0
    assert tidegate.api.metric("tidegate_gate_verdict", verdict="fail") == 0
    made = eventually(lambda: tidegate.api.history("all"), "the decision in the history")[0]
    assert (made["action"], made["actor"], made["from"], made["to"]) == ("hold", "gate", "50", "50")
    assert "held because old fails too" in made["reason"]
    eventually(lambda: any("shared degradation" in line for line in tidegate.lines), "the line of the log")


@pytest.mark.parametrize("on_fail, action", [("pause", "hold"), ("notify", "would_revert")])
def test_an_alarm_that_may_not_revert_leaves_the_weight_and_one_line_of_history(lab, on_fail, action):
    old, new = lab.nginx("old"), lab.nginx("new")
    new.fail()
    tidegate = lab.proxy(old, new, weight=50, route={"gate": {**FAST, "on_fail": on_fail}})
    with Load(tidegate.address, clients=4) as load:
        made = eventually(lambda: tidegate.api.history("all"), "the decision in the history", 20)[0]
        eventually(lambda: tidegate.api.route()["gate"]["verdict"] == "fail", "the verdict")
        seen = load.total
        eventually(lambda: load.total > seen + 500, "traffic afterwards", 20)
    assert (made["action"], made["actor"], made["from"], made["to"]) == (action, "gate", "50", "50")
    assert f"on_fail: {on_fail}" in made["reason"] and made["record"]["window"]
    status = tidegate.api.route()
    assert not status["latched"] and status["weight"]["effective"] == 50 and sum(status["reverts"].values()) == 0
    assert status["gate"]["on_fail"] == on_fail and status["holds"][on_fail] == 1
    assert [d["action"] for d in tidegate.api.history()] == [action]
    assert tidegate.api.metric("tidegate_gate_holds_total", reason=on_fail) == 1
    assert tidegate.api.metric("tidegate_reverts_total") == 0
    line = eventually(lambda: [one for one in tidegate.lines if f"route all: {action} 50 -> 50 by gate" in one], "the line")
    assert len(line) == 1


def test_three_requests_with_one_error_hold(lab):
    count = itertools.count()
    new = lab.origin(serve(lambda _: ok("x", "500 Oops") if next(count) == 1 else ok("x")))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100)
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(3)] == [200, 500, 200]
    eventually(lambda: tidegate.api.route()["gate"]["step"]["new"] == {"requests": 3, "failures": 1}, "the counts")
    stays(lambda: not tidegate.api.route()["latched"], "an open gate", 1.0, 0.1)
    assert tidegate.api.route()["gate"]["verdict"] == "inconclusive"


def test_a_healthy_new_side_is_left_alone_and_the_evidence_for_it_grows(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), weight=50)
    with Load(tidegate.address, clients=4) as load:
        def proven():
            gate = tidegate.api.route()["gate"]
            return gate["statistics"]["s_prom"] >= gate["thresholds"]["h_prom"]

        eventually(proven, "the proof that new is not worse", 20, 0.1)
    status = tidegate.api.route()
    assert load.errors == 0 and not status["latched"]
    assert status["gate"]["verdict"] == "inconclusive" and status["gate"]["reason"] == "observing"   # a step lasts 60 s


def test_a_revert_by_hand_is_in_force_when_it_returns_latched_and_in_the_history(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, weight=100, workers=2)
    clients = [lab.client(tidegate) for _ in range(8)]
    assert [c.get("/").text for c in clients] == ["new"] * 8
    tidegate.api.post("revert", body={"reason": "checkout fails"})
    assert [c.get("/").text for c in clients] == ["old"] * 8
    status = tidegate.api.route()
    assert status["latched"] and status["reverts"]["operator"] == 1
    assert tidegate.api.history()[0]["reason"] == "checkout fails"


def test_a_weight_on_a_latched_route_is_a_conflict_and_rearm_opens_it_at_0(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, weight=50)
    tidegate.api.post("revert")
    for percent in (1, 100):
        assert tidegate.api.weight(percent, expect=409).json["error"]["code"] == "conflict"
    refused = tidegate.cli("weight", "all", "10", "--yes")
    assert refused.returncode == 5 and "rearm" in refused.stderr
    tidegate.api.post("rearm")
    status = tidegate.api.route()
    assert not status["latched"] and status["weight"]["effective"] == 0 and status["latch_reason"] is None
    tidegate.api.weight(100)
    assert lab.client(tidegate).get("/").text == "new"
    tidegate.api.post("rearm", expect=409)
    assert [d["action"] for d in tidegate.api.history()] == ["weight", "rearm", "revert"]


def test_after_a_rearm_the_gate_guards_again(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"gate": FAST})
    new.fail()
    with Load(tidegate.address):
        reverted(tidegate)
        tidegate.api.post("rearm")
        tidegate.api.weight(50)
        reverted(tidegate)
        new.fail(False)
        tidegate.api.post("rearm")
        tidegate.api.weight(50)
        stays(lambda: not tidegate.api.route()["latched"], "an open gate", 1.0, 0.1)
    assert tidegate.api.metric("tidegate_reverts_total") == 2


def test_each_route_has_a_gate_of_its_own(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    bad = lab.origin(serve(ok("x", "503 Service Unavailable")), record=False)
    tidegate = lab.tidegate({
        "workers": 2, "listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"},
        "clusters": {"old": {"endpoints": [old.address]}, "new": {"endpoints": [new.address]}, "bad": {"endpoints": [bad.address]}},
        "routes": [{"name": "sick", "match": {"path": {"prefix": "/sick"}}, "new": "bad", "weight": 50, "gate": FAST},
                   {"name": "well", "weight": 50, "gate": FAST}]})
    with Load(tidegate.address), Load(tidegate.address, request=b"GET /sick HTTP/1.1\r\nHost: a\r\n\r\n"):
        reverted(tidegate, "sick")
        stays(lambda: not tidegate.api.route("well")["latched"], "the other gate", 1.0, 0.1)
    assert tidegate.api.route("well")["weight"]["effective"] == 50
    assert [d["route"] for d in tidegate.api.history()] == ["sick"]


def test_requests_in_flight_at_the_revert_are_answered_and_their_retries_respect_it(lab):
    """A retry never goes to new once its weight is 0."""
    go = threading.Event()

    def old_script(connection):
        request = connection.read_request()
        if request and request.target == "/slow":
            connection.wait(go)
            connection.rst()
        elif request:
            connection.send(ok("old", fields="Connection: close\r\n"))

    new = lab.origin(serve(ok("new")))
    tidegate = lab.proxy(lab.origin(old_script), new, weight=0)
    tidegate.api.weight(0.01)
    client = lab.client(tidegate)
    client.get("/")     # the sequence of positions begins at 0
    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 1, "it in flight")
    tidegate.api.post("revert")
    go.set()
    assert client.read_response().status == 502
    assert [r.target for r in new.requests if r.target == "/slow"] == []
