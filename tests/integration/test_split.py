"""The weighted choice: exact shares, changed at run time, in force when the call returns. PRODUCT §3 Split, issue 2 point 4."""
import threading

import pytest

from harness import Client, eventually, make_config, ok, serve
from harness.reload import reload
from harness.tools import WrkResult, start_wrk


def sides(lab):
    return lab.origin(serve(ok("old")), record=False), lab.origin(serve(ok("new")), record=False)


def pipelined(client, count, batch=50):
    """The texts of `count` answers over one connection."""
    texts = []
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    while len(texts) < count:
        now = min(batch, count - len(texts))
        client.send(request * now)
        texts += [client.read_response().text.strip() for _ in range(now)]
    return texts


@pytest.mark.parametrize("weight,expected", [(10, 100), (1, 10), (0.1, 1), (33.33, 333), (50, 500), (99.9, 999)])
def test_the_share_of_1000_requests_is_exact(lab, weight, expected):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=weight)
    texts = pipelined(lab.client(tidegate), 1000)
    assert abs(texts.count("new") - expected) <= 1 and texts.count("old") == 1000 - texts.count("new")


def test_the_share_of_1000_requests_is_exact_on_two_workers(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=10, workers=2)
    clients = [lab.client(tidegate) for _ in range(20)]
    texts = [client.get("/").text for _ in range(50) for client in clients]
    assert abs(texts.count("new") - 100) <= 2


def test_the_share_is_spread_evenly_not_in_blocks(lab):
    old, new = sides(lab)
    texts = pipelined(lab.client(lab.proxy(old, new, weight=25)), 1000)
    for at in range(0, 1000, 100):
        assert 23 <= texts[at:at + 100].count("new") <= 27


def test_the_share_of_a_route_is_exact_whatever_other_routes_are_asked_between_its_requests(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    routes = [{"name": name, "match": {"path": {"prefix": f"/{name}"}}, "weight": 10} for name in ("a", "b", "c")]
    client = lab.client(lab.tidegate(make_config(old, new, routes=routes)))
    answered = {"a": [], "b": [], "c": []}
    for turn in range(1000):
        for name in ("a", "b") if turn % 3 else ("a", "b", "c"):
            answered[name].append(client.get(f"/{name}").text)
    shares = {name: sides.count("new") for name, sides in answered.items()}
    assert abs(shares["a"] - 100) <= 1 and abs(shares["b"] - 100) <= 1 and abs(shares["c"] - 33.4) <= 1.4, shares


def test_shares_are_counted_on_over_reloads(lab):
    """Each time the route is another one, and a few requests later it is replaced: of all of them it is 10 %."""
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.proxy(old, new, weight=10, route={"mirror": {"percent": 10}})
    texts = []
    for turn in range(40):
        with Client(tidegate.address) as client:
            texts += [client.get("/").text for _ in range(5)]
        reload(tidegate, lambda config: config["routes"][0].update(timeout=f"{turn + 1}s"))
    assert abs(texts.count("new") - 20) <= 1, texts.count("new")
    eventually(lambda: abs(len([r for r in new.requests if r.get("x-tidegate-mirror")]) - 20) <= 1, "the copies' share")


@pytest.mark.parametrize("weight,side", [(0, "old"), (100, "new")])
def test_weights_of_0_and_100_are_exact(lab, weight, side):
    old, new = sides(lab)
    assert set(pipelined(lab.client(lab.proxy(old, new, weight=weight)), 2000)) == {side}


def test_a_step_of_a_hundredth_of_a_percent_counts(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), weight=0)
    tidegate.api.weight(0.01)
    client = lab.client(tidegate)
    assert 1 <= pipelined(client, 20000, 200).count("new") <= 3
    tidegate.api.weight(0.05)
    assert abs(pipelined(client, 20000, 200).count("new") - 10) <= 1
    tidegate.api.weight(99.99)
    assert 1 <= pipelined(client, 20000, 200).count("old") <= 3


@pytest.mark.parametrize("how", ["api", "cli"])
def test_a_weight_is_in_force_on_every_worker_when_the_call_returns(lab, how):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=0, workers=2)
    clients = [lab.client(tidegate) for _ in range(16)]
    assert [c.get("/").text for c in clients] == ["old"] * 16
    for percent, side in [(100, "new"), (0, "old")] * (10 if how == "api" else 3):
        if how == "api":
            answer = tidegate.api.weight(percent).json
            assert answer["epoch"] > 0
        else:
            result = tidegate.cli("weight", "all", str(percent), "--yes")
            assert result.returncode == 0, result.stderr
        assert [c.get("/").text for c in clients] == [side] * 16


def test_requests_in_flight_keep_the_side_that_they_had(lab):
    go = threading.Event()
    old = lab.origin(lambda c: (c.read_request(), c.wait(go), c.send(ok("old"))))
    tidegate = lab.proxy(old, lab.origin(serve(ok("new"))))
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: old.requests, "the request at old")
    tidegate.api.weight(100)
    with Client(tidegate.address) as other:
        assert other.get("/").text == "new"
    go.set()
    assert client.read_response().text == "old" and client.get("/").text == "new"


def test_a_weight_of_one_route_leaves_the_others_alone(lab):
    old, new = sides(lab)
    tidegate = lab.tidegate({
        "workers": 1, "listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"},
        "clusters": {"old": {"endpoints": [old.address]}, "new": {"endpoints": [new.address]}},
        "routes": [{"name": "api", "match": {"path": {"prefix": "/api"}}, "weight": 0}, {"name": "rest", "weight": 0}]})
    tidegate.api.weight(100, route="api")
    client = lab.client(tidegate)
    assert [client.get("/api/x").text, client.get("/x").text] == ["new", "old"]


@pytest.mark.parametrize("percent", [-1, 100.01, 0.001, 12.345, "ten", None, True, 1e30])
def test_a_weight_that_is_none_is_refused_and_changes_nothing(lab, percent):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=10)
    answer = tidegate.api.weight(percent, expect=400)
    assert answer.json["error"]["field"] == "percent" and answer.json["error"]["message"]
    assert tidegate.api.route()["weight"] == {"file": 10, "wanted": 10, "effective": 10}


def test_an_unknown_route_is_404_and_unknown_members_are_refused(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new)
    assert tidegate.api.weight(10, route="nope", expect=404).json["error"]["code"] == "not_found"
    assert tidegate.api.weight(10, expect=400, precent=20).json["error"]["field"] == "precent"


def test_if_match_with_an_old_epoch_is_412_and_changes_nothing(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new)
    first = tidegate.api.weight(10).json["epoch"]
    second = tidegate.api.weight(20, fields={"If-Match": str(first)}).json["epoch"]
    assert second > first
    stale = tidegate.api.weight(30, expect=412, fields={"If-Match": str(first)})
    assert stale.json["error"]["code"] == "stale" and tidegate.api.route()["weight"]["effective"] == 20
    tidegate.api.weight(30, fields={"If-Match": f'"{second}"'})


@pytest.mark.deadline(120)
def test_100_000_requests_while_the_weight_is_changed_50_times_and_none_fails(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), weight=10, workers=2)
    done = changes = 0
    weights = [0, 100, 0.01, 50, 99.99, 10, 75, 25, 90, 1]
    while done < 100_000 or changes < 50:
        process = start_wrk(tidegate.url(), 4, connections=32)
        while process.poll() is None:
            tidegate.api.weight(weights[changes % len(weights)])
            changes += 1
            try:
                process.wait(0.05)
            except Exception:  # noqa: B902 - TimeoutExpired: wrk still runs
                pass
        result = WrkResult(process.communicate()[0])
        assert result.requests > 0 and result.failed == 0, result
        done += result.requests
    counted = tidegate.api.metric("http_requests_total", status="200")
    assert counted >= done and tidegate.api.metric("http_requests_total") - counted <= 32 * (done // 1000 + 100)
    bad = {labels: v for (name, labels), v in tidegate.api.metrics().items()
           if name == "http_requests_total" and v > 0 and dict(labels)["status"] not in ("200", "499")}
    assert not bad
