"""Health of endpoints: active checks, ejection of what fails, the other side where one has nobody left. Issue 6 point 2, PRODUCT §3."""
import threading

import pytest

from harness import Load, eventually, ok, serve, stays
from harness.faults import never_connects
from harness.ports import refusing_address
from harness.rollout import decisions

QUICK = {"interval": "50ms", "timeout": "500ms", "healthy": 2, "unhealthy": 2}
PACE = {"clients": 4, "pause": 0.005}


class Sick:
    """An origin whose health answers what `status` says; requests are always answered with its name."""

    def __init__(self, lab, name, tls=None):
        self.status, self.asked = "200 OK", []
        self.origin = lab.origin(serve(self._answer), record=False, **({"tls": tls} if tls else {}))
        self.address, self.name = self.origin.address, name

    def _answer(self, request):
        if request.target == "/healthz":
            self.asked.append(request)
            return ok("", self.status)
        return ok(self.name)


def healthy(**more):
    return {"health": {"path": "/healthz", **QUICK, **more}}


def spilled(tidegate, side):
    return tidegate.api.metric("tidegate_spilled_requests_total", side=side)


def test_an_unhealthy_endpoint_gets_no_requests_until_it_is_healthy_again(lab):
    good, sick = Sick(lab, "good"), Sick(lab, "sick")
    tidegate = lab.proxy(good, clusters={
        "old": {"endpoints": [good.address, sick.address], **healthy()}, "new": {"endpoints": [good.address]}})
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").text == "sick", "both are used")
    sick.status = "503 Unavailable"
    tidegate.logs(f"{sick.address} is unhealthy: GET /healthz answered 503")
    eventually(lambda: all(client.get("/").text == "good" for _ in range(20)), "requests go to the good one alone")
    stays(lambda: all(client.get("/").text == "good" for _ in range(10)), "and stay there", 0.5, 0.05)
    sick.status = "200 OK"
    tidegate.logs(f"{sick.address} is healthy again")
    eventually(lambda: client.get("/").text == "sick", "it is used again")
    assert tidegate.api.metric("tidegate_health_checks_total", cluster="old", result="failed") >= 2


def test_a_check_is_a_request_of_its_own_with_the_clusters_host(lab):
    sick = Sick(lab, "a")
    lab.proxy(sick, cluster={"host": "shop.example.com", **healthy()})
    eventually(lambda: len(sick.asked) >= 2, "checks")
    asked = sick.asked[0]
    assert (asked.method, asked.get("host"), asked.get("user-agent")) == ("GET", "shop.example.com", "tidegate-health")


@pytest.mark.parametrize("fault", ["refuses", "closes", "hangs", "garbage", "redirects"])
def test_what_is_no_answer_that_is_expected_is_a_failure_with_its_reason(lab, fault):
    scripts = {"closes": lambda c: c.read_request(), "hangs": lambda c: c.wait_for_end(10),
               "garbage": lambda c: (c.read_request(), c.send(b"nonsense\r\n\r\n")),
               "redirects": serve(lambda r: ok("", "302 Found"))}
    reasons = {"refuses": "refused", "closes": "closed the connection", "hangs": "no answer in time", "garbage": "malformed",
               "redirects": "answered 302"}
    bad = refusing_address() if fault == "refuses" else lab.origin(scripts[fault], record=False).address
    tidegate = lab.proxy(bad, cluster=healthy(timeout="200ms"))
    tidegate.logs(f"{bad} is unhealthy: ")
    assert reasons[fault] in tidegate.output


def test_a_tcp_check_asks_for_a_connection_alone(lab):
    heard = []
    to = lab.origin(lambda c: heard.append(c.socket.recv(100)), record=False)
    tidegate = lab.proxy(to, to, cluster={"health": {"type": "tcp", **QUICK}})
    eventually(lambda: len(heard) >= 3, "connections")
    assert set(heard) == {b""} and "unhealthy" not in tidegate.output


def test_a_side_without_healthy_endpoints_spills_to_the_other_and_news_failing_share_counts_for_the_gate(lab):
    old, new = Sick(lab, "old"), Sick(lab, "new")
    tidegate = lab.proxy(old, new, weight=50, cluster=healthy(),
                         route={"gate": {"breaker": {"requests": 10, "for": "0s"}}, "retry": {"retries": 0}})
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").text == "new", "a share for new")
    with Load(tidegate.address, **PACE) as load:
        new.status = "500 Oops"
        now = eventually(lambda: (lambda r: r["latched"] and r)(tidegate.api.route()), "the revert", 20)
    assert load.errors == 0, "every request found the old side"
    assert now["weight"]["effective"] == 0 and spilled(tidegate, "new") >= 10
    made = eventually(lambda: [d for d in decisions(tidegate) if d["action"] == "revert"], "the decision")[0]
    assert made["record"]


def test_old_spills_to_new_only_while_new_has_a_share(lab):
    old, new = Sick(lab, "old"), Sick(lab, "new")
    tidegate = lab.proxy(old, new, weight=10, cluster=healthy(), route={"retry": {"retries": 0}})
    client = lab.client(tidegate)
    old.status = "500 Oops"
    eventually(lambda: all(client.get("/").text == "new" for _ in range(20)), "everything goes to new")
    assert spilled(tidegate, "old") >= 10
    tidegate.api.weight(0)
    assert {client.get("/").text for _ in range(20)} == {"old"}, "new has no share: old is tried though it is unhealthy"


def test_with_nobody_healthy_on_either_side_requests_are_tried_all_the_same(lab):
    old, new = Sick(lab, "old"), Sick(lab, "new")
    old.status = new.status = "500 Oops"
    tidegate = lab.proxy(old, new, weight=50, cluster=healthy())
    eventually(lambda: tidegate.output.count("is unhealthy") == 2, "both are unhealthy")
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(20)} == {"old", "new"}
    assert spilled(tidegate, "old") == spilled(tidegate, "new") == 0


def test_with_too_few_healthy_endpoints_all_are_used(lab):
    """One of three, and the threshold is a half."""
    origins = [Sick(lab, f"n{i}") for i in range(3)]
    tidegate = lab.proxy(origins[0], clusters={"old": {"endpoints": [o.address for o in origins], **healthy()},
                                               "new": {"endpoints": [origins[0].address]}})
    origins[0].status = origins[1].status = "500 Oops"
    eventually(lambda: tidegate.output.count("is unhealthy") == 2, "two are unhealthy")
    client = lab.client(tidegate)
    eventually(lambda: {client.get("/").text for _ in range(30)} == {"n0", "n1", "n2"}, "all are used")


def test_an_endpoint_that_fails_request_after_request_is_left_out_and_comes_back(lab):
    failing = threading.Event()
    failing.set()
    good = Sick(lab, "good")
    bad = lab.origin(serve(lambda r: ok("no", "500 Oops") if failing.is_set() else ok("bad")), record=False)
    tidegate = lab.proxy(good, workers=2, clusters={
        "old": {"endpoints": [good.address, bad.address], "outlier": {"consecutive_errors": 3, "ejection": "1s"}},
        "new": {"endpoints": [good.address]}})
    clients = [lab.client(tidegate) for _ in range(4)]
    eventually(lambda: [c.get("/") for c in clients] and f"{bad.address} is left out for " in tidegate.output, "the ejection")
    eventually(lambda: all(c.get("/").text == "good" for c in clients), "nobody asks it")
    failing.clear()
    eventually(lambda: any(c.get("/").text == "bad" for c in clients), "it comes back", 20)
    assert tidegate.api.metric("tidegate_outlier_ejections_total", cluster="old") >= 1


def test_what_was_under_way_when_an_endpoint_was_left_out_does_not_leave_it_out_again(lab):
    """Twelve bodies that are cut at once are one ejection, and not four."""
    cut, asked = threading.Event(), []

    def script(connection):
        while request := connection.read_request():
            if request.target == "/cut":
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                asked.append(1)
                cut.wait(20)
                return
            connection.send(ok("bad"))

    good = Sick(lab, "good")
    bad = lab.origin(script, record=False)
    tidegate = lab.proxy(good, workers=1, clusters={
        "old": {"endpoints": [bad.address, good.address], "outlier": {"consecutive_errors": 3, "ejection": "1s"}},
        "new": {"endpoints": [good.address]}})
    clients = [lab.client(tidegate) for _ in range(40)]
    for client in clients:
        client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(asked) >= 12, "answers under way")
    cut.set()
    for client in clients:
        client.read_response()
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").text == "bad", "it is back", 20)
    for _ in range(40):
        client.get("/")
    assert tidegate.api.metric("tidegate_outlier_ejections_total", cluster="old") == 1


def test_the_only_endpoint_is_never_left_out(lab):
    to = lab.origin(serve(lambda r: ok("no", "500 Oops")), record=False)
    tidegate = lab.proxy(to, cluster={"outlier": {"consecutive_errors": 1}})
    client = lab.client(tidegate)
    assert {client.get("/").status for _ in range(20)} == {500}
    assert tidegate.api.metric("tidegate_outlier_ejections_total", cluster="old") == 0


def test_an_endpoint_that_is_killed_and_brought_back_10_times_costs_no_request(lab):
    """Issue 6, Shown by: killed is a listener that refuses, and connections that end."""
    steady, flapping = lab.nginx("steady"), lab.nginx("flapping")
    tidegate = lab.proxy(steady, clusters={
        "old": {"endpoints": [steady.address, flapping.address], "health": {"type": "tcp", **QUICK}},
        "new": {"endpoints": [steady.address]}}, route={"retry": {"retries": 1, "other_side": False}})
    with Load(tidegate.address, **PACE) as load:
        for turn in range(10):
            flapping.stop()
            eventually(lambda: tidegate.output.count(f"{flapping.address} is unhealthy") == turn + 1, "it is out", 20)
            flapping.start()
            eventually(lambda: tidegate.output.count(f"{flapping.address} is healthy again") == turn + 1, "it is in", 20)
    assert load.errors == 0 and load.total > 100


# --- what people see of it

def states(tidegate, cluster):
    """{address: (state, why, since)} of GET /api/v1/clusters; the status says the same."""
    clusters = tidegate.api.get("/api/v1/clusters").json["clusters"]
    assert [one["name"] for one in clusters] == [one["name"] for one in tidegate.api.get("/api/v1/status").json["clusters"]]
    of = next(one for one in clusters if one["name"] == cluster)
    return {one["address"]: (one["state"], one["why"], one["since"]) for one in of["endpoints"]}


def gauges(tidegate, address):
    return tuple(tidegate.api.metric(f"tidegate_upstream_{what}", cluster="old", endpoint=address, address=address) for what in ("healthy", "ejected"))


def test_the_status_the_api_and_the_metrics_say_which_address_is_unhealthy_why_and_since_when_and_a_reload_keeps_it(lab):
    good, sick = Sick(lab, "good"), Sick(lab, "sick")
    clusters = {"old": {"endpoints": [good.address, sick.address], **healthy()}, "new": {"endpoints": [good.address]}}
    tidegate = lab.proxy(good, clusters=clusters)
    eventually(lambda: states(tidegate, "old") == {a: ("healthy", None, None) for a in (good.address, sick.address)}, "both")
    assert gauges(tidegate, sick.address) == (1, 0)
    sick.status = "503 Unavailable"
    eventually(lambda: states(tidegate, "old")[sick.address][:2] == ("unhealthy", "GET /healthz answered 503"), "it is told")
    since = states(tidegate, "old")[sick.address][2]
    assert since and states(tidegate, "old")[good.address][0] == "healthy" and gauges(tidegate, sick.address) == (0, 0)
    table = tidegate.cli("status").stdout
    assert "unhealthy" in table and f"{sick.address}: GET /healthz answered 503" in table and "in use, not checked" in table
    clusters["old"]["pool"] = {"connections": 77}
    tidegate.write_config({**tidegate.config, "clusters": clusters})
    assert tidegate.cli("reload").returncode == 0
    assert states(tidegate, "old")[sick.address] == ("unhealthy", "GET /healthz answered 503", since)
    sick.status = "200 OK"
    eventually(lambda: states(tidegate, "old")[sick.address][:2] == ("healthy", None), "it is well")
    assert gauges(tidegate, sick.address) == (1, 0)


def test_an_address_that_is_left_out_for_its_failures_says_so_until_it_is_back(lab):
    good = Sick(lab, "good")
    bad = lab.origin(serve(lambda r: ok("no", "500 Oops")), record=False)
    tidegate = lab.proxy(good, clusters={
        "old": {"endpoints": [good.address, bad.address], "outlier": {"consecutive_errors": 3, "ejection": "2s"}}, "new": {"endpoints": [good.address]}})
    client = lab.client(tidegate)
    eventually(lambda: client.get("/") and states(tidegate, "old")[bad.address][:2] == ("ejected", "3 failures in a row"), "the ejection")
    assert gauges(tidegate, bad.address) == (1, 1)
    eventually(lambda: states(tidegate, "old")[bad.address][0] == "healthy", "its time is over", 10)
    assert gauges(tidegate, bad.address) == (1, 0)


def test_a_revert_for_want_of_healthy_endpoints_says_so_and_the_attempts_are_counted_for_new(lab):
    """Clients see no failure: old answers what new cannot take. The gate counts them for new all the same, and the status shows both."""
    old, new = Sick(lab, "old"), Sick(lab, "new")
    tidegate = lab.proxy(old, new, weight=50, clusters={"old": {"endpoints": [old.address]}, "new": {"endpoints": [new.address], **healthy()}})
    new.status = "500 Oops"
    tidegate.logs(f"{new.address} is unhealthy")
    with Load(tidegate.address, **PACE) as load:
        route = eventually(lambda: (lambda r: r["latched"] and r)(tidegate.api.route()), "the revert", 20)
    assert load.errors == 0
    assert route["latch_reason"].endswith("; new had no healthy endpoint"), route["latch_reason"]
    eventually(lambda: [d["reason"] for d in decisions(tidegate) if d["action"] == "revert"] == [route["latch_reason"]], "the history")
    counted = route["traffic"]["new"]
    assert counted["failed_attempts"] == counted["attempts"] > 0 and counted["failures"] == 0
    assert route["traffic"]["old"]["attempts"] > 0 == route["traffic"]["old"]["failed_attempts"]


def test_an_endpoint_that_drops_every_syn_is_left_out_also_when_the_attempts_time_ends_first(lab):
    gone = never_connects(lab.keep)
    good = lab.origin(serve(ok("good")))
    tidegate = lab.proxy(good, clusters={
        "old": {"endpoints": [gone, good.address], "timeouts": {"connect": "20s"}, "outlier": {"consecutive_errors": 1, "ejection": "1m"}},
        "new": {"endpoints": ["127.0.0.1:9"]}},
        route={"retry": {"on": ["timeout"], "other_side": False, "per_try_timeout": "100ms"}, "gate": {"on_fail": "notify"}})
    client = lab.client(tidegate)
    timeouts = lambda: tidegate.api.metric("tidegate_upstream_failures_total", cluster="old", reason="timeout")
    eventually(lambda: client.get("/").status and timeouts() >= 1, "an attempt whose time is over")
    tidegate.logs(f"{gone} is left out for ")
    assert [client.get("/").text for _ in range(30)] == ["good"] * 30
    assert timeouts() == 1


@pytest.mark.several_threads
def test_every_worker_knows_what_a_check_said_while_they_changed_over(lab):
    """The check of an address that a reload added is answered while other workers are still to take the reload over: it was lost to those.
    (To some, once in about sixty reloads of that kind.)"""
    good = [lab.origin(serve(ok("good")), record=False) for _ in range(4)]

    def clusters(*dead):
        return {"old": {"endpoints": [*[one.address for one in good], *dead], "health": {"type": "tcp", "interval": "60s"}},
                "new": {"endpoints": [good[0].address]}}
    tidegate = lab.proxy(good[0], workers=32, clusters=clusters())
    clients = [lab.client(tidegate) for _ in range(128)]

    def goes_to_the_dead():
        before = tidegate.api.metric("tidegate_upstream_failures_total", cluster="old", reason="connect")
        for client in clients * 3:
            client.get("/")
        return tidegate.api.metric("tidegate_upstream_failures_total", cluster="old", reason="connect") - before
    for _ in range(10):
        dead = [refusing_address() for _ in range(3)]
        tidegate.reload({**tidegate.config, "clusters": clusters(*dead)})
        for one in dead:
            tidegate.logs(f"{one} is unhealthy")
        eventually(lambda: goes_to_the_dead() == 0, "every worker leaves out what does not answer")
        tidegate.reload({**tidegate.config, "clusters": clusters()})
