"""A reload is atomic, takes effect for the next exchange and costs nobody anything: PRODUCT §2 and §3, notes/reliability.md O15.

How one is asked for and what is refused; exchanges in flight; what was decided at run time; --watch; and that nothing fails under load
while all of it changes. What each part of the file does to what is there is in test_reload_parts."""
import os
import queue
import re
import shutil
import signal
import threading
import time

import pytest

from harness import Authority, H2loadLoad, Load, WrkLoad, eventually, make_config, memory_slack, ok, serve, stays
from harness.dns import a
from harness.http2_load import Http2Load
from harness.ports import free_port
from harness.reload import (EVIDENCE, TAG, Held, Tunnel, both, counters, edited, goes_on, is_served, listen_on, named, other_cluster,
                            prefix, refused, refuses, reload, reloads, tag, tagged_proxy, tell_tag, tls, unchanged)
from harness.rollout import ask, decisions, moves, plan, reaches, route, where

HOUR = "1h"


@pytest.fixture
def tagged(lab):
    return tagged_proxy(lab)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


# --- how it is asked for

WAYS = {
    "SIGHUP": lambda tidegate: tidegate.signal(signal.SIGHUP),
    "command line": lambda tidegate: tidegate.cli("reload"),
    "API": lambda tidegate: tidegate.api.call("POST", "/api/v1/reload", {}),
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


@each_way
def test_each_way_of_asking_takes_the_file_over_and_says_so(tagged, way):
    before = time.time()
    assert reloads(tagged, "success") == reloads(tagged, "failure") == 0
    tagged.write_config(edited(tagged, tag("two")))
    way(tagged)
    eventually(lambda: tagged.text() == "two", "the new configuration")
    tagged.logs("configuration reloaded: ")
    assert "route all: changed" in next(line for line in tagged.lines if "configuration reloaded: " in line)
    eventually(lambda: reloads(tagged, "success") == 1, "the count")
    assert reloads(tagged, "failure") == 0
    assert before - 1 <= tagged.api.metric("tidegate_config_last_reload_success_timestamp_seconds") <= time.time() + 1


def test_the_command_line_prints_what_changed_in_a_line_each(tagged):
    def edit(config):
        tag("two")(config)
        config["listeners"].append({"name": "web", "address": "127.0.0.1:0"})
        config["clusters"]["new"]["pool"] = {"connections": 7}
    tagged.write_config(edited(tagged, edit))
    done = tagged.cli("reload")
    assert done.returncode == 0 and sorted(done.stdout.splitlines()) == ["cluster new: changed", "listener web: added", "route all: changed"]
    tagged.descriptors_are_its_own()


def test_the_api_answers_what_changed(tagged):
    second = {"name": "second", "match": {"path": {"prefix": "/second"}}}
    assert reload(tagged, lambda config: config["routes"].insert(0, second)) == ["route second: added"]
    assert reload(tagged, lambda config: config["routes"][0].update(timeout="5s")) == ["route second: changed"]
    assert reload(tagged, lambda config: config["routes"].pop(0)) == ["route second: removed"]
    assert reload(tagged, lambda config: config["clusters"].update(third={"endpoints": ["127.0.0.1:9"]})) == ["cluster third: added"]
    assert reload(tagged, lambda config: config["clusters"].pop("third")) == ["cluster third: removed"]
    assert set(reload(tagged, lambda config: config.update(routes=[second]))) == {"route all: removed", "route second: added"}


def test_the_configuration_that_is_shown_is_the_one_in_force(tagged):
    shown = lambda: tagged.api.get("/api/v1/config").json["routes"][0]["timeout"]
    reload(tagged, lambda config: config["routes"][0].update(timeout="7s"))
    assert shown() == "7s"
    tagged.write_config(edited(tagged, lambda config: config["routes"][0].update(timeout="8s", wieght=5)))
    assert tagged.api.call("POST", "/api/v1/reload", {}).status == 422 and shown() == "7s"


def test_a_file_that_says_the_same_is_nothing_changed(tagged):
    assert tagged.reload() == []
    done = tagged.cli("reload")
    assert (done.returncode, done.stdout) == (0, "nothing changed\n")
    with open(tagged.config_path, "a") as file:
        file.write("\n# a comment\n")
    assert tagged.reload() == [] and tagged.text() == "one"
    assert reloads(tagged, "failure") == 0


TOP_LEVEL = {
    "trusted_proxies": ["10.0.0.0/8"],
    "dns": {"timeout": "3s"},
    "checks": {"smoke": {"http": [{"path": "/health"}]}},
    "notify": [{"webhook": {"url": "http://127.0.0.1:9/"}, "on": ["reverted"]}],
    "log": {"level": "debug"},
    "drain": {"timeout": "20s"},
}


@pytest.mark.parametrize("key", TOP_LEVEL)
def test_every_key_that_may_change_is_named_when_it_does(tagged, key):
    assert any(key.rstrip("s") in line for line in reload(tagged, lambda config: config.update({key: TOP_LEVEL[key]})))
    assert tagged.reload() == []
    assert any(key.rstrip("s") in line for line in reload(tagged, lambda config: config.pop(key)))
    tagged.descriptors_are_its_own()


def test_reloads_that_are_asked_for_at_once_are_all_answered_and_the_file_is_in_force(tagged):
    answers = []

    def ask_for_it():
        answers.append(tagged.api.call("POST", "/api/v1/reload", {}).status)

    for turn in range(5):
        tagged.write_config(edited(tagged, tag(f"turn-{turn}")))
        threads = [threading.Thread(target=ask_for_it) for _ in range(6)]
        for thread in threads:
            thread.start()
        tagged.signal(signal.SIGHUP)
        for thread in threads:
            thread.join(30)
        assert tagged.text() == f"turn-{turn}"
    assert answers == [200] * 30


# --- what is refused

BAD = {
    "an unknown key": (lambda c: c["routes"][0].update(wieght=5), "routes[0].wieght", 'did you mean "weight"'),
    "a wrong unit": (lambda c: c["routes"][0].update(timeout="5 parsecs"), "routes[0].timeout"),
    "a reference to nothing": (lambda c: c["routes"][0].update(old="odl"), "routes[0].old"),
    "a number out of its range": (lambda c: c["routes"][0].update(weight=101), "routes[0].weight"),
    "a name twice": (lambda c: c["routes"].append({"name": "all"}), "routes[1].name"),
    "no route": (lambda c: c.pop("routes"), "routes"),
    "no listener": (lambda c: c.update(listeners=[]), "listeners"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_file_changes_nothing_and_says_where_and_why(tagged, bad):
    edit, *words = bad
    good = edited(tagged, tag("three"))
    tagged.write_config(edited(tagged, both(tag("two"), edit)))
    message = refused(tagged, *words)
    place = re.compile(re.escape(tagged.config_path) + r":\d+:\d+: ")
    assert place.search(message) and place.search(tagged.output)
    assert tagged.reload(good) == ["route all: changed"] and tagged.text() == "three"


@pytest.mark.parametrize("text", ["", "a: [", "\tx: 1", "- 1", "null", "\0"], ids=repr)
def test_a_file_that_is_no_configuration_changes_nothing(tagged, text):
    config = tagged.config
    tagged.write_config(text)
    refused(tagged, tagged.config_path)
    assert tagged.reload(config) == []


def test_a_file_that_is_gone_changes_nothing(tagged):
    os.rename(tagged.config_path, tagged.config_path + ".away")
    refused(tagged, tagged.config_path)
    os.rename(tagged.config_path + ".away", tagged.config_path)
    assert reload(tagged, tag("two")) == ["route all: changed"]


def test_all_problems_of_a_bad_file_are_told_at_once(tagged):
    tagged.write_config(edited(tagged, lambda c: c["routes"][0].update(wieght=5, timeout="5 parsecs", old="odl")))
    message = refused(tagged, "routes[0].wieght", "routes[0].timeout", "routes[0].old")
    assert len(re.findall(r":\d+:\d+: ", message)) >= 3


NEEDS_A_PROCESS = {
    "workers": lambda c: c.update(workers=2),
    "admin": lambda c: c.update(admin={"address": "127.0.0.2:0"}),
    "metrics": lambda c: c.update(metrics={"address": "127.0.0.1:0"}),
    "state": lambda c: c.update(state={"path": c["state"]["path"] + ".other"}),
    "log.access": lambda c: c.update(log={"access": {"path": "stdout"}}),
}


@pytest.mark.parametrize("key", NEEDS_A_PROCESS)
def test_what_takes_a_new_process_is_refused_as_a_whole_and_named(tagged, key):
    good = tagged.config
    tagged.write_config(edited(tagged, both(tag("two"), NEEDS_A_PROCESS[key])))
    message = refused(tagged, key)
    assert re.search("restart|upgrade|new process", message), message
    assert tagged.reload(good) == []


def test_all_that_takes_a_new_process_is_told_at_once(tagged):
    tagged.write_config(edited(tagged, both(*NEEDS_A_PROCESS.values())))
    refused(tagged, *NEEDS_A_PROCESS)


@pytest.mark.parametrize("where_to", ["added", "moved", "unix"])
def test_an_address_that_is_in_use_fails_the_reload_and_nothing_of_it_stays(lab, tagged, where_to, tmp_path):
    free = f"127.0.0.1:{free_port()}"
    taken = f"unix:{tmp_path}/a.sock" if where_to == "unix" else f"127.0.0.1:{free_port()}"
    lab.keep(listen_on(taken))

    def edit(config):
        tag("two")(config)
        config["listeners"].insert(0, {"name": "free", "address": free})
        if where_to == "moved":
            config["listeners"][1]["address"] = taken
        else:
            config["listeners"].append({"name": "taken", "address": taken})
    held = lab.client(tagged)
    assert held.get("/").text == "one"
    good = tagged.config
    tagged.write_config(edited(tagged, edit))
    answer = tagged.api.call("POST", "/api/v1/reload", {})
    assert 400 <= answer.status < 500 and taken in answer.json["error"]["message"], answer
    unchanged(tagged, 1)
    assert refuses(free) and held.get("/").get("connection") is None
    assert tagged.cli("reload").returncode == 1
    assert tagged.reload(good) == []


# --- exchanges in flight

@pytest.mark.parametrize("protocol", ["http1", "h2c"])
def test_a_download_whose_route_and_cluster_are_removed_comes_whole(lab, protocol):
    first, second = Held(lab), Held(lab, "second")
    tidegate = lab.proxy(first, listener={"h2c": True})
    client = lab.client(tidegate) if protocol == "http1" else lab.http2_client(tidegate)
    if protocol == "http1":
        client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    else:
        stream = client.start("/held")
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    reload(tidegate, other_cluster(second))
    assert lab.client(tidegate).get("/").text == "second 0"
    first.go.set()
    body = client.read_response().text if protocol == "http1" else client.finish(stream).body.decode()
    assert body == first.whole
    answer = client.get("/")
    assert (answer.text if protocol == "http1" else answer.body.decode()) == "second 0", "the same connection, and the new configuration"
    eventually(lambda: first.origin.open_connections() == 0, "nothing is left of the old cluster")


def test_an_upload_whose_route_and_cluster_are_removed_arrives_whole(lab):
    first, second = Held(lab), Held(lab, "second")
    tidegate = lab.proxy(first)
    client = lab.client(tidegate)
    client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + "x" * 40000)
    eventually(lambda: first.asked("/up"), "the exchange in flight")
    reload(tidegate, other_cluster(second))
    for _ in range(3):
        client.send("x" * 20000)
        reload(tidegate, lambda config: config["routes"][0].update(timeout=f"{len(config['routes'][0]) + 60}s"))
    assert client.read_response().text == "first 100000"


def test_a_tunnel_whose_route_and_cluster_are_removed_goes_on(lab):
    first, second = Held(lab), Held(lab, "second")
    tidegate = lab.proxy(first)
    tunnel = Tunnel(lab, tidegate)
    assert tunnel.echoes("before")
    reload(tidegate, other_cluster(second))
    assert lab.client(tidegate).get("/").text == "second 0"
    for turn in range(5):
        assert tunnel.echoes(f"after {turn}")
        reload(tidegate, lambda config: config["routes"][0].update(timeout=f"{60 + turn}s"))
    tunnel.client.close()
    eventually(lambda: first.origin.open_connections() == 0, "its end")


def test_a_grpc_stream_whose_route_and_cluster_are_removed_goes_on(lab):
    grpc = pytest.importorskip("grpc")
    from test_grpc import CallServer
    first, second = (lab.keep(CallServer(name)) for name in ("first", "second"))
    tidegate = lab.proxy(first, listener={"h2c": True}, cluster={"protocol": "http2"})
    channel = lab.keep(grpc.insecure_channel(tidegate.address))
    ask_it = queue.SimpleQueue()
    answers = channel.stream_stream("/t/bidi")(iter(ask_it.get, None), timeout=40)
    ask_it.put(b"before")
    assert next(answers) == b"before"

    def edit(config):
        other_cluster(second)(config)
        for cluster in config["clusters"].values():
            cluster["protocol"] = "http2"
    reload(tidegate, edit)
    _, call = channel.unary_unary("/t/unary").with_call(b"x", timeout=20)
    assert dict(call.trailing_metadata())["x-side"] == "second"
    for turn in range(5):
        ask_it.put(b"after %d" % turn)
        assert next(answers) == b"after %d" % turn
    ask_it.put(None)
    assert list(answers) == [] and answers.code() == grpc.StatusCode.OK


def test_requests_that_wait_for_a_connection_of_a_cluster_that_is_removed_get_it(lab):
    first, second = Held(lab), Held(lab, "second")
    tidegate = lab.proxy(first, cluster={"pool": {"connections": 1}})
    clients = [lab.client(tidegate) for _ in range(4)]
    for client in clients:
        client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.metric("tidegate_http_requests_in_flight") == 4 and first.asked("/held"), "one served, three that wait")
    reload(tidegate, other_cluster(second))
    assert lab.client(tidegate).get("/").text == "second 0"
    first.go.set()
    assert [client.read_response().text for client in clients] == [first.whole] * 4
    assert len(first.origin.connections) == 1


def test_a_retry_goes_to_the_cluster_of_the_configuration_that_the_exchange_began_with(lab):
    go = threading.Event()
    failing = lab.origin(lambda c: (c.read_request(), c.wait(go), c.rst()))
    saving, other = Held(lab, "saving"), Held(lab, "other")
    tidegate = lab.proxy(saving, failing, weight=100)
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: failing.requests, "the exchange in flight")
    reload(tidegate, other_cluster(other))
    go.set()
    assert client.read_response().text == "saving 0"


def test_a_timeout_that_is_shortened_is_for_the_next_exchange(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, route={"retry": {"retries": 0}})
    client, next_one = lab.client(tidegate), lab.client(tidegate)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    reload(tidegate, lambda config: config["routes"][0].update(timeout="300ms"))
    next_one.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not next_one.read_response().complete, "the new time is over"
    first.go.set()
    assert client.read_response().text == first.whole


@pytest.mark.parametrize("protocol", ["http1", "h2c"])
def test_a_kept_connection_has_the_new_configuration_from_its_next_exchange_on(lab, protocol):
    tidegate = lab.proxy(lab.origin(tell_tag), listener={"h2c": True}, workers=2)
    clients = [lab.client(tidegate) if protocol == "http1" else lab.http2_client(tidegate) for _ in range(6)]

    def texts():
        answers = [client.get("/") for client in clients]
        return {answer.text if protocol == "http1" else answer.body.decode() for answer in answers}
    assert texts() == {"none"}
    for turn in range(10):
        reload(tidegate, tag(f"turn-{turn}"))
        assert texts() == {f"turn-{turn}"}, "on every worker, as soon as it is answered"
    eventually(lambda: tidegate.api.metric("tidegate_downstream_connections") == 6, "no connection was dropped")


# --- what was decided at run time

def test_a_weight_of_run_time_wins_until_the_files_own_changes_and_that_is_a_decision_of_the_file(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), weight=10, route={"mirror": {"percent": 30}})
    tidegate.api.weight(70)
    tidegate.api.mirror(5)
    reload(tidegate, tag("two"))
    now = tidegate.api.route()
    assert now["weight"] == {"file": 10, "wanted": 70, "effective": 70} and now["mirror"]["percent"] == 5
    assert reload(tidegate, lambda config: config["routes"][0].update(weight=40)) == ["route all: changed"]
    assert tidegate.api.route()["weight"] == {"file": 40, "wanted": 40, "effective": 40}
    made = eventually(lambda: [d for d in decisions(tidegate) if d["actor"] == "file" and d["to"] == "40"], "the decision")[0]
    assert made["from"] == "70"
    tidegate.api.weight(50)
    reload(tidegate, tag("three"))
    assert tidegate.api.route()["weight"] == {"file": 40, "wanted": 50, "effective": 50}
    tidegate.kill()
    tidegate.start()
    assert tidegate.api.route()["weight"] == {"file": 40, "wanted": 50, "effective": 50}, "a restart sees it as the reload did"


def test_a_mirror_share_of_run_time_wins_until_the_files_own_changes(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), route={"mirror": {"percent": 30}})
    tidegate.api.mirror(5)
    reload(tidegate, tag("two"))
    assert tidegate.api.route()["mirror"]["percent"] == 5
    reload(tidegate, lambda config: config["routes"][0]["mirror"].update(percent=60))
    assert tidegate.api.route()["mirror"]["percent"] == 60


def test_a_weight_that_the_file_changes_is_in_force_when_the_reload_is_answered(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))), workers=2)
    clients = [lab.client(tidegate) for _ in range(6)]
    for weight, text in ((100, "new"), (0, "old"), (100, "new")):
        reload(tidegate, lambda config: config["routes"][0].update(weight=weight))
        assert [client.get("/").text for client in clients] == [text] * 6


def test_a_weight_that_the_file_changes_does_not_open_a_latch(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))), weight=50)
    tidegate.api.post("revert", body={"reason": "bad release"})
    for weight in (90, 100):
        reload(tidegate, lambda config: config["routes"][0].update(weight=weight))
        now = tidegate.api.route()
        assert now["latched"] and now["weight"]["effective"] == 0 and "bad release" in now["latch_reason"]
        assert lab.client(tidegate).get("/").text == "old"
    tidegate.api.post("rearm")
    tidegate.reload()
    now = tidegate.api.route()
    assert not now["latched"] and now["weight"]["effective"] == 0
    tidegate.api.weight(20)


def test_what_a_person_decides_while_it_is_reloaded_again_and_again_is_in_force_when_it_is_answered(lab):
    """On every worker, whichever configuration it has at that moment."""
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), lab.origin(serve(ok("new")), record=False), workers=2)
    clients = [lab.client(tidegate) for _ in range(6)]
    over, turns = threading.Event(), [0]

    def again_and_again():
        while not over.is_set():
            turns[0] += 1
            reload(tidegate, tag(f"turn-{turns[0]}"))

    changing = threading.Thread(target=again_and_again, daemon=True)
    changing.start()
    for _ in range(30):
        tidegate.api.weight(100)
        assert [client.get("/").text for client in clients] == ["new"] * 6
        tidegate.api.post("revert")
        assert [client.get("/").text for client in clients] == ["old"] * 6
        tidegate.api.post("rearm")
    eventually(lambda: turns[0] > 10, "reloads")
    over.set()
    changing.join(20)


def test_a_revert_of_the_gate_holds_while_it_is_reloaded_again_and_again(lab):
    new = lab.origin(serve(ok("x", "500 Oops")))
    tidegate = lab.proxy(lab.origin(serve(ok("old")), record=False), new, weight=50, workers=2, route={
        "gate": {"breaker": {"requests": 10, "for": "0s"}, "burst_tolerance": "0s"}, "retry": {"retries": 0}})
    with Load(tidegate.address, clients=3) as load:
        turn = 0
        while not tidegate.api.route()["latched"]:
            turn += 1
            reload(tidegate, tag(f"turn-{turn}"))
        goes_on(load, requests=20)
        asked = len(new.requests)
        for turn in range(10):
            reload(tidegate, both(tag(f"later-{turn}"), lambda config: config["routes"][0].update(weight=50 + turn)))
            goes_on(load, requests=20)
    assert len(new.requests) == asked and tidegate.api.route()["latched"]


@pytest.mark.parametrize("what", ["weight", "latch"])
def test_a_route_that_is_removed_and_comes_back_has_what_was_decided_for_it(lab, what):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))), weight=10)
    tidegate.api.weight(70)
    if what == "latch":
        tidegate.api.post("revert", body={"reason": "bad release"})
    kept = tidegate.config["routes"]
    reload(tidegate, lambda config: config.update(routes=[{"name": "other"}]))
    assert [one["name"] for one in tidegate.api.status()["routes"]] == ["other"]
    tidegate.api.weight(20, expect=404)
    reload(tidegate, lambda config: config.update(routes=kept))
    now = tidegate.api.route()
    if what == "latch":
        assert now["latched"] and now["weight"]["effective"] == 0 and lab.client(tidegate).get("/").text == "old"
    else:
        assert now["weight"] == {"file": 10, "wanted": 70, "effective": 70}


CHANGES = {
    "another route": lambda config: config["routes"].insert(0, prefix("other", "/other")),
    "the route's headers": tag("two"),
    "the cluster's pool": lambda config: config["clusters"]["new"].update(pool={"connections": 500}),
    "the order of routes": lambda config: config["routes"].reverse(),
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())


@each_change
def test_the_gate_keeps_its_evidence_over_a_reload(lab, change):
    new = lab.origin(serve(ok("x", "500 Oops")))
    tidegate = lab.tidegate(make_config(lab.origin(serve(ok("old"))), new, routes=[
        {"name": "all", "weight": 100, **EVIDENCE}, prefix("last", "/last")]))
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(3)] == [500] * 3
    counts = lambda: tidegate.api.route()["gate"]["step"]["new"]
    eventually(lambda: counts() == {"requests": 3, "failures": 3}, "the counts")
    stays(lambda: not tidegate.api.route()["latched"], "an open gate")
    before = tidegate.api.route()["gate"]["statistics"]["s_new"]
    reload(tidegate, change)
    assert counts() == {"requests": 3, "failures": 3} and tidegate.api.route()["gate"]["statistics"]["s_new"] == pytest.approx(before)
    for _ in range(3):
        client.get("/")
    now = eventually(lambda: (lambda r: r["latched"] and r)(tidegate.api.route()), "the revert")
    assert now["reverts"]["error_rate"] == 1 and client.get("/").text == "old"
    for _ in range(3):
        tidegate.reload()
        reload(tidegate, tag("later"))
        now = tidegate.api.route()
        assert now["latched"] and now["weight"]["effective"] == 0 and now["reverts"]["error_rate"] == 1


def test_a_gate_that_may_not_revert_any_more_does_not(lab):
    new = lab.origin(serve(ok("x", "500 Oops")), record=False)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=50, route={
        "gate": {"breaker": {"requests": 10, "for": "0s"}, "burst_tolerance": "0s"}, "retry": {"retries": 0}})
    reload(tidegate, lambda config: config["routes"][0]["gate"].update(on_fail="notify"))
    client = lab.client(tidegate)

    def told():
        client.get("/")
        return tidegate.api.history("all")
    made = eventually(told, "the decision")[0]
    assert (made["action"], made["actor"]) == ("would_revert", "gate") and not tidegate.api.route()["latched"]


# --- rollouts

@pytest.mark.parametrize("change", [CHANGES[name] for name in CHANGES if name != "the route's headers"],
                         ids=[name for name in CHANGES if name != "the route's headers"])
def test_a_rollout_goes_on_with_its_step_and_that_steps_clock(lab, change):
    tidegate = lab.tidegate(make_config(lab.origin(tell_tag), lab.origin(tell_tag), routes=[
        {"name": "all", "rollout": plan({"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})}, prefix("last", "/last")]))
    ask(tidegate, "start", actor="ann")
    eventually(lambda: where(tidegate)["step_elapsed_s"] > 1.5, "a part of the step")
    for edit in (change, lambda config: config.update(drain={"timeout": "20s"})):
        before = where(tidegate)
        reload(tidegate, edit)
        now = where(tidegate)
        assert now["step_elapsed_s"] >= before["step_elapsed_s"], "the clock was not restarted"
        assert all(now[key] == before[key] for key in ("state", "step", "steps", "started_at", "started_by", "file_differs"))
        tidegate.reload()
    assert moves(tidegate) == [("rollout_start", "0", "10")]


@pytest.mark.deadline(90)
def test_a_rollout_keeps_the_plan_that_it_began_with_and_ends_by_it(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), route={"rollout": plan({"weight": 10, "for": "2s"}, 20)})
    with Load(tidegate.address, clients=2, pause=0.005) as load:
        ask(tidegate, "start")
        reload(tidegate, lambda config: config["routes"][0].update(rollout=plan(30, 40, 50)))
        at = where(tidegate)
        assert at["file_differs"] and [step["weight"] for step in at["steps"]] == [10, 20] and at["state"] == "running"
        reaches(tidegate, "completed", 2)
        assert route(tidegate)["weight"]["effective"] == 20
        ask(tidegate, "start")
        at = where(tidegate)
        assert [step["weight"] for step in at["steps"]] == [30, 40, 50] and not at["file_differs"]
    assert load.errors == 0


@pytest.mark.deadline(120)
def test_a_rollout_that_is_reloaded_all_the_time_takes_every_step_and_fails_no_request(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), route={"rollout": plan(10, 25, 50, 100)})
    over, turns = threading.Event(), [0]

    def again_and_again():
        while not over.is_set():
            turns[0] += 1
            reload(tidegate, lambda config: config.update(drain={"timeout": f"{20 + turns[0] % 2}s"}))

    changing = threading.Thread(target=again_and_again, daemon=True)
    with Load(tidegate.address, clients=3, pause=0.003) as load:
        goes_on(load)
        ask(tidegate, "start")
        changing.start()
        reaches(tidegate, "completed", 4, 90)
        over.set()
        changing.join(20)
    print(f"{turns[0]} reloads, {load}")
    assert load.errors == 0 and turns[0] > 4
    assert moves(tidegate)[:4] == [("rollout_start", "0", "10"), ("step", "10", "25"), ("step", "25", "50"), ("step", "50", "100")]


def test_a_weight_that_the_file_changes_pauses_a_rollout(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), route={"rollout": plan({"weight": 10, "for": HOUR}, 50)})
    ask(tidegate, "start")
    reload(tidegate, lambda config: config["routes"][0].update(weight=7))
    at = where(tidegate)
    assert (at["state"], at["pause"]["by"]) == ("paused", "hand") and "file" in at["pause"]["sentence"]
    assert route(tidegate)["weight"]["effective"] == 7
    ask(tidegate, "resume")
    assert (where(tidegate)["state"], where(tidegate)["step"], route(tidegate)["weight"]["effective"]) == ("running", 1, 10)


def test_checks_that_the_file_adds_are_asked_by_the_next_rollout(lab):
    new = lab.origin(serve(ok("new")))
    tidegate = lab.proxy(lab.origin(tell_tag), new)

    def edit(config):
        config["checks"] = {"smoke": {"http": [{"path": "/smoke"}], "interval": "100ms"}}
        config["routes"][0]["rollout"] = plan({"check": "smoke"}, {"weight": 50, "for": HOUR})
    reload(tidegate, edit)
    ask(tidegate, "start")
    reaches(tidegate, "running", 2)
    assert "/smoke" in {request.target for request in new.requests}


def test_a_rollout_whose_route_is_removed_and_comes_back_is_where_it_was(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), route={"rollout": plan({"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR}, 100)})
    ask(tidegate, "start")
    ask(tidegate, "promote")
    kept = tidegate.config["routes"]
    reload(tidegate, lambda config: config.update(routes=[{"name": "other"}]))
    reload(tidegate, lambda config: config.update(routes=kept))
    assert (where(tidegate)["state"], where(tidegate)["step"], route(tidegate)["weight"]["effective"]) == ("running", 2, 50)


# --- counters

def test_no_counter_goes_back_over_a_reload(lab):
    to = lab.origin(tell_tag, record=False)
    tidegate = lab.proxy(to, weight=0, route={"mirror": {"percent": 100}}, workers=2,
                         clusters={"old": {"endpoints": [to.address]}, "new": {"endpoints": [to.address]}})
    clients = [lab.client(tidegate) for _ in range(4)]
    sent = 0
    edits = list(CHANGES.values())[:3] + [tag("three"), lambda config: config["listeners"][0].update(timeouts={"idle": "30s"}),
                                          lambda config: config["routes"].pop(0)]
    for edit in edits:
        for client in clients * 5:
            assert client.get("/").status == 200
        sent += 20
        tidegate.api.counts(sent, "http_requests_total", route="all")
        before = counters(tidegate)
        reload(tidegate, edit)
        after = counters(tidegate)
        gone = {series: (value, after.get(series)) for series, value in before.items()
                if dict(series[1]).get("route", "all") == "all" and after.get(series, -1) < value}
        assert not gone
    tidegate.api.counts(sent, "http_requests_total", route="all")
    tidegate.api.counts(sent, "http_request_duration_seconds_count", route="all")
    mirror = tidegate.api.route()["mirror"]
    assert mirror["received"] == sent and mirror["received"] == mirror["mirrored"] + sum(mirror["dropped"].values())


@pytest.mark.parametrize("over", ["333ms", "500ms"])
def test_requests_are_counted_on_when_a_gate_gets_another_bound_of_slowness(lab, over):
    """A new bound is a new bucket of the histogram, and neither the counts nor the other buckets begin anew."""
    tidegate = lab.proxy(lab.origin(tell_tag, record=False))
    client = lab.client(tidegate)
    for _ in range(20):
        assert client.get("/").status == 200
    tidegate.api.counts(20, "http_requests_total", route="all")
    reload(tidegate, lambda config: config["routes"][0].update(gate={"slow": {"over": over}}))
    for name in ("http_requests_total", "http_request_duration_seconds_count"):
        assert tidegate.api.metric(name, route="all") == 20, name
    assert client.get("/").status == 200
    tidegate.api.counts(21, "http_requests_total", route="all")
    assert tidegate.api.metric("http_request_duration_seconds_bucket", side="old", le="+Inf") == 21


# --- --watch

@pytest.fixture
def watched(lab):
    return tagged_proxy(lab, process={"arguments": ["--watch"]})


@pytest.mark.parametrize("name", [None, "tidegate.yaml", "./tidegate.yaml"], ids=["whole path", "name", "relative path"])
def test_with_watch_a_file_that_is_replaced_is_taken_over(lab, name):
    watched = tagged_proxy(lab, process={"arguments": ["--watch"], "config_name": name})
    for turn in range(5):
        watched.replace_config(edited(watched, tag(f"turn-{turn}")))
        eventually(lambda: watched.text() == f"turn-{turn}", "the new file", 20)
    assert reloads(watched, "failure") == 0


def test_with_watch_a_file_that_is_written_in_place_is_taken_over(watched):
    for turn in range(5):
        watched.write_config(edited(watched, tag(f"turn-{turn}")))
        eventually(lambda: watched.text() == f"turn-{turn}", "the new file", 20)


def test_with_watch_a_file_that_is_written_piece_by_piece_is_taken_over_once_it_is_whole(watched):
    path, good = watched.config_path, edited(watched, tag("two"))
    watched.replace_config(good)
    with open(path) as file:
        text = file.read().replace('"two"', '"three"')
    eventually(lambda: watched.text() == "two", "the new file", 20)
    with open(path, "w") as file:
        for at in range(0, len(text), 100):
            file.write(text[at:at + 100])
            file.flush()
            assert watched.text() in ("two", "three")
    eventually(lambda: watched.text() == "three", "the whole file", 20)


def test_with_watch_a_bad_file_changes_nothing_is_told_and_the_next_good_one_counts(watched):
    watched.replace_config(edited(watched, both(tag("two"), lambda config: config["routes"][0].update(wieght=5))))
    eventually(lambda: reloads(watched, "failure") >= 1, "the refusal", 20)
    watched.logs("routes[0].wieght")
    assert watched.text() == "one"
    watched.replace_config(edited(watched, both(tag("three"), lambda config: config["routes"][0].pop("wieght"))))
    eventually(lambda: watched.text() == "three", "the good file", 20)
    told = watched.output.count("routes[0].wieght")
    stays(lambda: watched.output.count("routes[0].wieght") == told, "one bad file is told of once")
    assert told <= 2


def test_with_watch_a_file_that_is_gone_for_a_while_changes_nothing(watched):
    os.rename(watched.config_path, watched.config_path + ".away")
    stays(lambda: watched.text() == "one", "the configuration", 0.5, 0.05)
    watched.write_config(edited(watched, tag("two")))
    eventually(lambda: watched.text() == "two", "the file that is back", 20)


def test_with_watch_kubernetes_swap_of_a_link_is_noticed(lab, tmp_path):
    def revision(name, text):
        (tmp_path / "volume" / name).mkdir(parents=True)
        (tmp_path / "volume" / name / "tidegate.yaml").write_text(text)

    tidegate = lab.proxy(lab.origin(tell_tag), process={"arguments": ["--watch"]})
    tidegate.terminate()
    with open(tidegate.config_path) as file:
        text = file.read()
    revision("..1", text)
    os.symlink("..1", tmp_path / "volume" / "..data")
    os.symlink("..data/tidegate.yaml", tmp_path / "volume" / "tidegate.yaml")
    tidegate.config_name = str(tmp_path / "volume" / "tidegate.yaml")
    tidegate.start()
    assert lab.client(tidegate).get("/").text == "none"
    for turn in range(2, 5):
        revision(f"..{turn}", text.replace('"weight": 0', f'"weight": 0, "request_headers": {{"set": {{"{TAG}": "turn-{turn}"}}}}'))
        os.symlink(f"..{turn}", tmp_path / "volume" / "..data_tmp")
        os.rename(tmp_path / "volume" / "..data_tmp", tmp_path / "volume" / "..data")
        shutil.rmtree(tmp_path / "volume" / f"..{turn - 1}")
        eventually(lambda: lab.client(tidegate).get("/").text == f"turn-{turn}", "the new revision", 20)


def test_without_watch_a_file_that_changes_is_only_read_when_it_is_asked_for(tagged):
    tagged.replace_config(edited(tagged, tag("two")))
    stays(lambda: tagged.text() == "one", "the configuration", 1, 0.05)
    assert "configuration reloaded" not in tagged.output
    assert tagged.reload() == ["route all: changed"] and tagged.text() == "two"


# --- under load

def alternates(lab, **options):
    """A Tidegate, two configurations for it that differ in routes, endpoints and listeners, and how to make sure of what is left."""
    n1, n2, n3 = (lab.nginx(name) for name in ("n1", "n2", "n3"))
    tidegate = lab.proxy(n1, n2, weight=30, workers=2, listener={"h2c": True}, **options)

    def second(config):
        config["listeners"][0]["timeouts"] = {"idle": "30s", "header": "5s"}
        config["clusters"]["old"]["endpoints"] = [n3.address, n1.address]
        config["clusters"]["new"]["pool"] = {"connections": 300}
        config["clusters"]["third"] = {"endpoints": [n3.address], "health": {"type": "tcp", "interval": "100ms"}}
        config["routes"].insert(0, prefix("extra", "/extra", old="third", mirror={"percent": 100}))
        tag("second", 1)(config)
        config["routes"][1]["timeout"] = "20s"
    files = [tidegate.config, edited(tidegate, second)]

    def footprint():
        """What it has without a client and without a connection to a side."""
        tidegate.has_only_its_own_descriptors(20)
        return tidegate.threads()
    for file in (files[1], files[0], files[1], files[0]):       # what comes once comes now
        assert tidegate.reload(file)
    tidegate.descriptors_are_its_own()
    return tidegate, files, (n1, n2, n3), footprint


@pytest.mark.deadline(180)
@pytest.mark.parametrize("client", ["wrk", "h2load"])
def test_no_request_fails_and_nothing_grows_while_20_reloads_change_routes_endpoints_and_listeners(lab, client):
    tidegate, files, origins, footprint = alternates(lab)
    threads = tidegate.threads()
    load = WrkLoad(tidegate.url(), connections=8) if client == "wrk" else H2loadLoad(tidegate.url(), batch=500)
    kept, fresh = Load(tidegate.address, clients=2), Load(tidegate.address, clients=2,
                                                          request=b"GET /extra HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    posts = Load(tidegate.address, clients=1, request=b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    streams = Http2Load(tidegate.address, clients=1)
    loads = [kept, fresh, posts, streams] + ([load] if client == "h2load" else [])
    served = lambda: tidegate.api.metric("http_requests_total", route="all")
    with load, kept, fresh, posts, streams:
        goes_on(*loads)
        for turn in range(20):
            before = served()
            assert tidegate.reload(files[(turn + 1) % 2])
            goes_on(*loads, requests=50)
            eventually(lambda: served() >= before + 500, "the requests of everybody", 30)
        result = load.stop()
    print(f"20 reloads: {result or load}, kept {kept}, posts {posts}, a connection each {fresh}, {streams}")
    assert kept.errors == fresh.errors == posts.errors == streams.errors == 0
    assert (kept.connections, posts.connections, streams.connections, streams.goaways) == (2, 1, 1, 0), "nobody was sent away"
    assert (result.failed if client == "wrk" else load.errors) == 0
    assert tidegate.api.metric("tidegate_upstream_failures_total") == 0 and reloads(tidegate, "failure") == 0
    for origin in origins:
        origin.stop()
    assert footprint().total() == threads.total()


@pytest.mark.deadline(120)
def test_no_connection_fails_while_five_reloads_change_the_certificate(lab, pki):
    identities = [pki.issue() for _ in range(6)]
    n1 = lab.nginx("n1")
    tidegate = lab.proxy(n1, workers=2, listener=tls(identities[0]))
    reload(tidegate, lambda config: config["listeners"][0].update(tls(identities[5])))
    tidegate.descriptors_are_its_own()
    threads = tidegate.threads()
    fresh = Load(tidegate.address, clients=3, tls=pki.client(), request=b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    with fresh, Load(tidegate.address, clients=1, tls=pki.client()) as kept, Http2Load(tidegate.address, clients=1, tls=pki.client(alpn=["h2"])) as streams:
        goes_on(fresh, kept, streams, requests=30)
        for identity in identities[:5]:
            assert reload(tidegate, lambda config: config["listeners"][0].update(tls(identity))) == ["listener listener-1: changed"]
            assert is_served(identity, tidegate, pki), "by the first handshake after the answer"
            goes_on(fresh, kept, streams, requests=30)
    print(f"5 certificates: a connection each {fresh}, kept {kept}, {streams}")
    assert fresh.errors == kept.errors == streams.errors == 0
    assert kept.connections == streams.connections == 1
    n1.stop()
    tidegate.has_only_its_own_descriptors(20)
    assert tidegate.threads().total() == threads.total()


@pytest.mark.deadline(120)
def test_no_request_fails_while_dns_and_the_file_change_at_once(lab):
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    origins = lab.origins(hosts)
    servers = [lab.name_server(a(hosts[0], 1)), lab.name_server(a(hosts[0], 1))]
    tidegate = lab.tidegate(named(servers[0], origins[0], workers=2))
    for server in (servers[1], servers[0]):
        reload(tidegate, lambda config: config["dns"].update(servers=[server.address]))
    tidegate.descriptors_are_its_own()
    threads = tidegate.threads()
    with WrkLoad(tidegate.url(), connections=4) as load, Load(tidegate.address, clients=2) as kept:
        goes_on(kept)
        for turn in range(1, 7):
            host, server = turn % 3, servers[turn % 2]
            for one in servers:
                one.answers(a(hosts[host], 1))
            before = len(origins[host].requests)
            reload(tidegate, both(tag(f"turn-{turn}"), lambda config: config["dns"].update(servers=[server.address])))
            eventually(lambda: len(origins[host].requests) > before + 50, "the address of the new answer", 30)
            eventually(lambda: sum(one.open_connections() for at, one in enumerate(origins) if at != host) == 0, "the others are left", 30)
            goes_on(kept)
        result = load.stop()
    print(f"6 changes of DNS: {result}, kept {kept}")
    assert result.failed == kept.errors == 0
    for one in origins:
        one.close()
    tidegate.has_only_its_own_descriptors(20)
    assert tidegate.threads().total() == threads.total()


@pytest.mark.as_released
@pytest.mark.deadline(120)
def test_memory_does_not_grow_over_reloads(lab):
    tidegate, files, _, _ = alternates(lab)
    client = lab.client(tidegate)

    def some(count):
        for turn in range(count):
            assert tidegate.reload(files[(turn + 1) % 2])
            assert client.get("/").status == 200
        return tidegate.rss_mib()
    first = some(60)
    last = some(300)
    print(f"{first:.1f} MiB after 60 reloads, {last:.1f} after 360")
    assert last - first < 3 * memory_slack()
