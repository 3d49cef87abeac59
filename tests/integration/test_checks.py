"""What a rollout asks before and during its steps: smoke requests, Prometheus, webhooks with Flagger's names. What says
nothing holds, and never counts as good. PRODUCT §2 checks, §3 Rollout."""
import json

import pytest

from harness import eventually, Load, ok, serve, stays
from harness.ports import free_port, refusing_address
from harness.rollout import ask, decisions, has_moves, moves, plan, reaches, route, waits, weight, where

HOUR = "1h"
PACE = {"clients": 4, "pause": 0.003}
GUIDE = 'rate(http_requests_total{status=~"5.."}[5m])'      # as it stands in the migration guide
SMOKE = [{"path": "/health"}, {"path": "/api/v1/status"}, {"path": "/api/v1/db-check"}]
OFTEN = {"interval": "100ms", "timeout": "2s"}


def staged(lab, steps, checks, during=(), old=None, new=None, route=None, **more):
    """A Tidegate with these steps and checks; `during`: those of rollout.checks."""
    rollout = plan(*steps, checks=list(during)) if during else plan(*steps)
    return lab.proxy(old or lab.nginx("old"), new or lab.nginx("new"), route={"rollout": rollout, **(route or {})},
                     checks=checks, **more)


def passes(tidegate, name):
    """Waits until the check has passed in this step. @return its sentence."""
    def said():
        row = next(one for one in where(tidegate)["checks"] + [None] if one is None or one["name"] == name)
        assert row and row["verdict"] == "pass", row
        return row["sentence"]
    return eventually(said, f"check {name} passing", 20, 0.02)


# --- smoke requests

def test_a_smoke_check_as_a_step_and_all_the_time_lets_a_good_side_pass(lab):
    tidegate = staged(lab, [{"check": "smoke"}, 10, 100], {"smoke": {"http": SMOKE, "side": "new", **OFTEN}}, ["smoke"])
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        assert where(tidegate)["step"] in (0, 1) and weight(tidegate) == 0
        reaches(tidegate, "running", 2)
        assert passes(tidegate, "smoke") == "all 3 requests to 1 endpoint passed"
        reaches(tidegate, "completed", 3)
    assert load.errors == 0
    assert tidegate.api.metric("tidegate_checks_total", check="smoke", verdict="pass") >= 3
    assert tidegate.api.metric("tidegate_checks_total", check="smoke", verdict="fail") == 0
    assert moves(tidegate)[:3] == [("rollout_start", "0", "0"), ("step", "0", "0"), ("step", "0", "10")]


def test_a_smoke_check_that_fails_before_the_first_weight_reverts_and_nothing_ever_was_live(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    new.fail_database()
    tidegate = staged(lab, [{"check": "smoke"}, 10], {"smoke": {"http": SMOKE, "failures": 3, **OFTEN}}, old=old, new=new)
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        reaches(tidegate, "reverted", 1)
    assert load.errors == 0 and tidegate.api.metric("http_requests_total", side="new") == 0
    # One that was on its way while the third was being acted on counts as well.
    assert tidegate.api.metric("tidegate_checks_total", check="smoke", verdict="fail") >= 3


def test_a_db_check_that_answers_500_reverts_after_so_many_failures_in_a_row(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = staged(lab, [{"weight": 50, "for": HOUR}], {"smoke": {"http": SMOKE, "failures": 4, **OFTEN}}, ["smoke"],
                      old=old, new=new)
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        passes(tidegate, "smoke")
        new.fail_database()
        now = reaches(tidegate, "reverted", 1)
        assert now["latched"] and now["weight"]["effective"] == 0
    assert load.errors == 0, "the load asks for nothing that needs the database"
    assert now["reverts"]["check"] == 1 and sum(now["reverts"].values()) == 1
    assert tidegate.api.metric("tidegate_reverts_total", reason="check") == 1
    # One that was on its way while the fourth was being acted on counts as well.
    assert tidegate.api.metric("tidegate_checks_total", check="smoke", verdict="fail") >= 4
    sentence = f"GET /api/v1/db-check: {new.address} answered 500, not 2xx"
    assert sentence in now["latch_reason"] and "smoke" in now["latch_reason"]
    made = eventually(lambda: [d for d in decisions(tidegate) if d["action"] == "revert"], "the decision")[0]
    assert (made["actor"], made["from"], made["to"]) == ("check smoke", "50", "0") and sentence in made["reason"]
    assert made["record"]


def test_failures_that_are_not_in_a_row_change_nothing(lab):
    answers = iter(([500] * 2 + [200]) * 1000)
    new = lab.origin(serve(lambda r: ok("x", f"{next(answers)} X") if r.target == "/health" else ok("new")), record=False)
    tidegate = staged(lab, [{"weight": 50, "for": HOUR}],
                      {"smoke": {"http": [{"path": "/health"}], "failures": 3, "interval": "100ms", "retries": 0}}, ["smoke"],
                      new=new)
    ask(tidegate, "start")
    eventually(lambda: tidegate.api.metric("tidegate_checks_total", check="smoke", verdict="fail") >= 6, "failures", 20)
    assert where(tidegate)["state"] == "running" and weight(tidegate) == 50


def test_on_fail_pause_pauses_at_the_weight_and_goes_on_once_it_is_resumed(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = staged(lab, [{"weight": 50, "for": "5s"}, 100],
                      {"smoke": {"http": SMOKE, "failures": 2, "on_fail": "pause", **OFTEN}}, ["smoke"], old=old, new=new)
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start")
        reaches(tidegate, "running", 1)
        new.fail_database()
        now = reaches(tidegate, "paused", 1)
        at = now["rollout"]
        assert at["pause"]["by"] == "check" and "check smoke: GET /api/v1/db-check: " in at["pause"]["sentence"]
        assert now["weight"]["effective"] == 50 and not now["latched"] and sum(now["reverts"].values()) == 0
        eventually(lambda: decisions(tidegate)[-1]["actor"] == "check smoke", "the pause in the history")
        stays(lambda: (where(tidegate)["state"], weight(tidegate)) == ("paused", 50), "the pause", 1, 0.1)
        new.fail_database(False)
        ask(tidegate, "resume")
        reaches(tidegate, "completed", 2)
    has_moves(tidegate, [("rollout_start", "0", "0"), ("step", "0", "50"), ("rollout_pause", "50", "50"), ("rollout_resume", "50", "50"),
                         ("step", "50", "100"), ("rollout_completed", "100", "100")])


# --- Prometheus

@pytest.mark.deadline(120)
def test_with_the_guides_own_query_a_good_side_goes_on_and_errors_fail_the_check(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    address = f"127.0.0.1:{free_port()}"
    check = {"prometheus": {"url": f"http://{address}", "query": GUIDE, "max": 0.01}, "failures": 2, "interval": "200ms"}
    tidegate = staged(lab, [10, {"weight": 50, "for": "2s"}, {"weight": 100, "for": HOUR}], {"errors": check}, ["errors"],
                      old=old, new=new, route={"gate": {"on_fail": "notify"}}, metrics={"address": "127.0.0.1:0"})
    lab.prometheus(tidegate.metrics_address, address)
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        reaches(tidegate, "running", 2, 40)
        assert " series are inside, the worst: " in passes(tidegate, "errors")
        reaches(tidegate, "running", 3, 40)
        assert load.errors == 0
        new.fail_some()
        now = reaches(tidegate, "reverted", 3, 40)
    assert now["latched"] and now["reverts"]["check"] == 1
    assert "check errors failed: " in now["latch_reason"] and "more than 0.01" in now["latch_reason"]
    assert 'status="500"' in now["latch_reason"]


class Hanging:
    """Accepts and never answers."""

    @staticmethod
    def script(connection):
        connection.read_request()
        connection.wait_for_end(60)


def prometheus_says(*samples):
    vector = [{"metric": {}, "value": [1435781451.781, sample]} for sample in samples]
    return ok(json.dumps({"status": "success", "data": {"resultType": "vector", "result": vector}}),
              fields="Content-Type: application/json\r\n")


HOLDS = {
    "empty": (lambda lab: lab.origin(serve(prometheus_says())).address, "no data: the result of the query is empty"),
    "NaN": (lambda lab: lab.origin(serve(prometheus_says("NaN"))).address, "no data: the value is NaN"),
    "unreachable": (lambda lab: refusing_address(), "refused"),
    "hangs": (lambda lab: lab.origin(Hanging.script, record=False).address, "no answer from http://127.0.0.1"),
    "resets": (lambda lab: lab.origin(lambda c: (c.read_request(), c.rst()), record=False).address, "127.0.0.1"),
    "HTML": (lambda lab: lab.origin(serve(ok("<html>hello</html>", fields="Content-Type: text/html\r\n"))).address,
             "answered 200 with HTML, not JSON: is that the URL of Prometheus?"),
    "10 MB": (lambda lab: lab.origin(serve(ok(b"x" * 10_000_000)), record=False).address, "1 MiB"),
    "garbage": (lambda lab: lab.origin(lambda c: (c.read_request(), c.send("garbage\r\n\r\n")), record=False).address, "HTTP"),
    "error": (lambda lab: lab.origin(serve(ok('{"status":"error","errorType":"bad_data","error":"parse error"}',
                                              "400 Bad Request"))).address, "Prometheus says: bad_data: parse error"),
    "503": (lambda lab: lab.origin(serve(ok("", "503 Service Unavailable"))).address, "answered 503"),
    "redirect": (lambda lab: lab.origin(serve(ok("", "302 Found", "Location: http://127.0.0.1:9/\r\n"))).address,
                 "answered 302 (a redirect, and redirects are not followed)"),
}


@pytest.mark.deadline(120)
def test_what_is_no_answer_of_prometheus_holds_with_a_clear_sentence_and_never_goes_on(lab):
    """Each as a route of its own, side by side."""
    old, new = lab.nginx("old"), lab.nginx("new")
    names = {name: f"c{i}" for i, name in enumerate(HOLDS)}
    checks = {names[name]: {"prometheus": {"url": f"http://{make(lab)}", "query": "up", "max": 1}, "interval": "100ms",
                            "timeout": "300ms", "failures": 1} for name, (make, _) in HOLDS.items()}
    routes = [{"name": check, "match": {"path": {"prefix": f"/{check}/"}}, "rollout": plan({"check": check}, 50)} for check in checks]
    tidegate = lab.tidegate({"workers": 1, "listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"},
                             "clusters": {"old": {"endpoints": [old.address]}, "new": {"endpoints": [new.address]}},
                             "checks": checks, "routes": routes})

    def at(check):
        return tidegate.api.get(f"/api/v1/routes/{check}").json

    for check in checks:
        assert tidegate.api.call("POST", f"/api/v1/routes/{check}/rollout/start", {}).status == 200
    for name, (_, words) in HOLDS.items():
        check = names[name]

        def said():     # a large answer may come too late once, where the machine is busy
            sentences = [one["sentence"] for one in at(check)["rollout"]["waiting"] if one["reason"] == "check"]
            assert len(sentences) == 1 and sentences[0].startswith(f"check {check}: ") and words in sentences[0], sentences
            return True

        eventually(said, name, 30)
    stays(lambda: all(at(check)["rollout"]["state"] == "running" and at(check)["rollout"]["step"] == 1 for check in checks),
          "step 1 of all", 1, 0.2)
    for check in checks:
        now = at(check)
        assert now["weight"]["effective"] == 0 and not now["latched"]
        assert tidegate.api.metric("tidegate_checks_total", check=check, verdict="pass") == 0
        assert tidegate.api.metric("tidegate_checks_total", check=check, verdict="fail") == 0


def test_a_prometheus_that_comes_to_its_senses_lets_it_go_on(lab):
    answer = [prometheus_says()]
    server = lab.origin(serve(lambda _: answer[0]))
    tidegate = staged(lab, [{"check": "lag"}, {"weight": 50, "for": HOUR}],
                      {"lag": {"prometheus": {"url": f"http://{server.address}/base/", "query": "a lag{x=\"1\"} + 1", "max": 1,
                                              "headers": {"Authorization": "Bearer secret"}}, "interval": "100ms"}})
    ask(tidegate, "start")
    waits(tidegate, "check", "no data")
    answer[0] = prometheus_says("0.5")
    reaches(tidegate, "running", 2)
    asked = server.requests[0]
    assert asked.target.startswith("/base/api/v1/query?query=a%20lag%7Bx%3D%221%22%7D%20%2B%201")
    assert asked.get("authorization") == "Bearer secret"
    assert "secret" not in tidegate.api.get("/api/v1/config").text + tidegate.api.get("/api/v1/status").text + tidegate.output


# --- webhooks

class Hooks:
    """A server for webhooks: its answer by path, and what it was told."""

    def __init__(self, lab, **answers):
        self.answers = answers
        self.server = lab.origin(serve(self.answer))

    def answer(self, request):
        said = self.answers.get(request.target.strip("/"), 200)
        return said if isinstance(said, bytes) else ok("", f"{said} X")

    def url(self, name):
        return f"http://{self.server.address}/{name}"

    def told(self, name):
        """The bodies that came to it."""
        with self.server.lock:
            return [json.loads(r.body) for r in self.server.requests if r.target == f"/{name}" and r.complete]

    def check(self, type, **more):
        return {"webhook": {"url": self.url(type), "type": type, **more}, "interval": "100ms", "timeout": "2s"}


def test_confirm_rollout_holds_before_the_first_step_until_it_answers_2xx_and_gets_flaggers_payload(lab):
    hooks = Hooks(lab, **{"confirm-rollout": 403})
    tidegate = staged(lab, [{"weight": 10, "for": HOUR}],
                      {"approve": hooks.check("confirm-rollout", metadata={"team": "payments", "cmd": "x"})}, ["approve"])
    ask(tidegate, "start")
    assert "not confirmed yet: the webhook answered 403" in waits(tidegate, "check", "check approve: not confirmed")
    stays(lambda: (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 0, 0), "step 0", 1, 0.1)
    hooks.answers["confirm-rollout"] = 202
    reaches(tidegate, "running", 1)
    assert weight(tidegate) == 10
    body = hooks.told("confirm-rollout")[0]
    assert set(body) == {"name", "namespace", "phase", "checksum", "metadata"}
    assert (body["name"], body["namespace"], body["phase"]) == ("all", "tidegate", "Waiting")
    assert body["metadata"] == {"team": "payments", "cmd": "x"} and body["checksum"]
    request = hooks.server.requests[0]
    assert request.method == "POST" and request.get("content-type") == "application/json"
    assert len({one["checksum"] for one in hooks.told("confirm-rollout")}) == 1
    count = len(hooks.told("confirm-rollout"))
    stays(lambda: len(hooks.told("confirm-rollout")) == count, "no further question", 0.5, 0.1)


def test_before_the_first_step_a_pause_and_kill_9_change_nothing_but_what_they_should(lab):
    hooks = Hooks(lab, **{"confirm-rollout": 403})
    tidegate = staged(lab, [{"weight": 10, "for": HOUR}], {"approve": hooks.check("confirm-rollout")}, ["approve"])
    ask(tidegate, "start")
    waits(tidegate, "check", "check approve: not confirmed")
    ask(tidegate, "pause")
    hooks.answers["confirm-rollout"] = 200
    stays(lambda: (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("paused", 0, 0), "the pause", 0.7, 0.1)
    hooks.answers["confirm-rollout"] = 403
    ask(tidegate, "resume")
    tidegate.kill()
    tidegate.start()
    waits(tidegate, "check", "check approve: not confirmed")
    assert (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 0, 0)
    hooks.answers["confirm-rollout"] = 200
    reaches(tidegate, "running", 1)


def test_confirm_traffic_increase_is_asked_before_each_higher_weight_and_confirm_promotion_before_100(lab):
    hooks = Hooks(lab, **{"confirm-traffic-increase": 500, "confirm-promotion": 500})
    tidegate = staged(lab, [10, {"pause": "3s"}, 50, 100],     # so long is step 2 seen for certain
                      {"increase": hooks.check("confirm-traffic-increase"), "promotion": hooks.check("confirm-promotion")},
                      ["increase", "promotion"])
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        for step, percent in ((0, 0), (2, 10), (3, 50)):
            reaches(tidegate, "running", step)
            asked = len(hooks.told("confirm-traffic-increase"))
            waits(tidegate, "check", "check increase: not confirmed yet")
            stays(lambda: (where(tidegate)["step"], weight(tidegate)) == (step, percent), f"step {step}", 0.7, 0.1)
            eventually(lambda: len(hooks.told("confirm-traffic-increase")) > asked, "the question")
            assert percent == 50 or not hooks.told("confirm-promotion")
            hooks.answers["confirm-traffic-increase"] = 200
            if percent < 50:
                reaches(tidegate, "running", step + 1)
                hooks.answers["confirm-traffic-increase"] = 500
        waits(tidegate, "check", "check promotion: not confirmed yet")
        stays(lambda: (where(tidegate)["step"], weight(tidegate)) == (3, 50), "50 %", 0.7, 0.1)
        assert not any(one["sentence"].startswith("check increase") for one in where(tidegate)["waiting"])
        hooks.answers["confirm-promotion"] = 200
        reaches(tidegate, "completed", 4)
    assert load.errors == 0
    assert {one["phase"] for one in hooks.told("confirm-traffic-increase")} >= {"Waiting", "Progressing"}


def test_hooks_are_asked_only_when_everything_else_is_good(lab):
    hooks = Hooks(lab)
    tidegate = staged(lab, [10, 50], {"increase": hooks.check("confirm-traffic-increase")}, ["increase"])
    ask(tidegate, "start")
    reaches(tidegate, "running", 1)
    first = len(hooks.told("confirm-traffic-increase"))
    waits(tidegate, "evidence", "0 of 1 request of new seen")
    stays(lambda: len(hooks.told("confirm-traffic-increase")) == first, "no question without traffic", 1.3, 0.1)
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").status == 200 and where(tidegate)["step"] == 2, "step 2", 20)
    assert len(hooks.told("confirm-traffic-increase")) > first


def test_a_pre_rollout_that_fails_ends_it_before_the_first_step(lab):
    hooks = Hooks(lab, **{"pre-rollout": 500})
    tidegate = staged(lab, [{"weight": 10, "for": HOUR}], {"load-test": {**hooks.check("pre-rollout"), "failures": 3}}, ["load-test"])
    ask(tidegate, "start")
    now = reaches(tidegate, "reverted", 0)
    assert now["latched"] and now["weight"]["effective"] == 0 and now["reverts"]["check"] == 1
    assert "check load-test failed: the webhook answered 500" in now["latch_reason"]
    assert len(hooks.told("pre-rollout")) == 3
    hooks.answers["pre-rollout"] = 200
    tidegate.api.post("rearm")
    ask(tidegate, "retry")
    reaches(tidegate, "running", 1)


def test_rollback_that_answers_2xx_reverts_and_another_answer_does_not(lab):
    hooks = Hooks(lab, rollback=404)
    tidegate = staged(lab, [{"weight": 50, "for": HOUR}], {"big-red": {**hooks.check("rollback"), "failures": 1}}, ["big-red"])
    ask(tidegate, "start")
    eventually(lambda: len(hooks.told("rollback")) >= 3, "questions")
    assert (where(tidegate)["state"], weight(tidegate)) == ("running", 50)
    hooks.answers["rollback"] = 200
    now = reaches(tidegate, "reverted", 1)
    assert now["weight"]["effective"] == 0 and "the webhook asks to roll back: answered 200" in now["latch_reason"]


def test_a_rollout_hook_is_asked_all_the_time_and_reverts_when_it_fails(lab):
    hooks = Hooks(lab)
    tidegate = staged(lab, [{"weight": 50, "for": HOUR}], {"acceptance": {**hooks.check("rollout"), "failures": 2}}, ["acceptance"])
    ask(tidegate, "start")
    eventually(lambda: len(hooks.told("rollout")) >= 3, "questions")
    hooks.answers["rollout"] = 503
    assert "check acceptance failed: the webhook answered 503" in reaches(tidegate, "reverted", 1)["latch_reason"]


@pytest.mark.parametrize("type", ["confirm-rollout", "rollout"])
def test_a_redirect_is_reported_and_not_followed(lab, type):
    target = lab.origin(serve(ok("yes")))
    hooks = Hooks(lab, **{type: ok("", "307 Temporary Redirect", f"Location: http://{target.address}/\r\n")})
    tidegate = staged(lab, [10, 50], {"hook": {**hooks.check(type), "failures": 1}}, ["hook"])
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start")
        waits(tidegate, "check", "check hook: the webhook answered 307 (a redirect, and redirects are not followed)")
        step = where(tidegate)["step"]
        stays(lambda: (where(tidegate)["state"], where(tidegate)["step"]) == ("running", step), "the step", 1.3, 0.1)
    assert target.connections == []


def test_event_gets_every_decision(lab):
    hooks = Hooks(lab, event=500)
    tidegate = staged(lab, [10, 100], {"events": hooks.check("event")}, ["events"])
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start", reason="release 7")
        reaches(tidegate, "completed")
    assert load.errors == 0
    tidegate.api.weight(50, reason="by hand")
    eventually(lambda: len(hooks.told("event")) == 4, "the events")
    made = decisions(tidegate)
    told = {one["metadata"]["eventMessage"]: one for one in hooks.told("event")}
    assert sorted(told) == sorted(d["reason"] for d in made) and len(made) == 4
    for one in made:
        body = told[one["reason"]]
        assert body["metadata"]["eventType"] == "Normal" and int(body["metadata"]["timestamp"]) == one["at_ms"]
    assert any("release 7" in message for message in told)
    assert [told[one["reason"]]["phase"] for one in made][1:3] == ["WaitingPromotion", "Succeeded"]


def test_events_of_a_revert_and_of_an_abort_are_warnings(lab):
    hooks = Hooks(lab)
    tidegate = staged(lab, [{"weight": 10, "for": HOUR}], {"events": hooks.check("event")}, ["events"])
    ask(tidegate, "start")
    ask(tidegate, "abort")
    ask(tidegate, "retry")
    tidegate.api.post("revert", body={"reason": "bad release"})
    tidegate.api.post("rearm")
    eventually(lambda: len(hooks.told("event")) == 5, "the events")
    events = {one["metadata"]["eventMessage"]: one for one in hooks.told("event")}
    assert events["bad release"]["metadata"]["eventType"] == "Warning" and events["bad release"]["phase"] == "Failed"
    assert sum(one["metadata"]["eventType"] == "Warning" for one in events.values()) == 2


def test_post_rollout_is_told_of_each_end_once(lab):
    hooks = Hooks(lab, **{"post-rollout": 500})
    tidegate = staged(lab, [{"weight": 10, "for": HOUR}, {"weight": 20, "for": HOUR}], {"bye": hooks.check("post-rollout")}, ["bye"])
    ask(tidegate, "start")
    ask(tidegate, "promote")
    assert hooks.told("post-rollout") == []
    ask(tidegate, "promote")
    eventually(lambda: len(hooks.told("post-rollout")) == 1, "the end")
    tidegate.api.weight(5)
    tidegate.api.weight(4)
    ask(tidegate, "start")
    tidegate.api.post("revert", body={"reason": "bad release"})
    tidegate.api.post("rearm")
    eventually(lambda: len(hooks.told("post-rollout")) >= 2, "the second end")
    stays(lambda: len(hooks.told("post-rollout")) == 2, "a weight by hand and a rearm are no ends", 0.7, 0.1)
    assert [one["phase"] for one in hooks.told("post-rollout")] == ["Succeeded", "Failed"]


# --- the file changes meanwhile

@pytest.mark.parametrize("how", ["step", "during"])
def test_a_check_that_is_gone_from_the_file_after_a_restart_holds_and_says_so(lab, how):
    checks = {"smoke": {"http": SMOKE, **OFTEN}, "slow": {"http": [{"path": "/health", "expect": [204]}], "failures": 1000, **OFTEN}}
    if how == "step":
        tidegate = staged(lab, [{"check": "slow"}, 50], checks)
    else:
        tidegate = staged(lab, [{"weight": 10, "for": "1s"}, 50], checks, ["slow"])
    ask(tidegate, "start")
    waits(tidegate, "check", "check slow: GET /health: ", "answered 200, not 204")
    tidegate.terminate()
    tidegate.config["checks"] = {"smoke": checks["smoke"]}
    tidegate.config["routes"][0]["rollout"] = plan(10, 50)
    tidegate.write_config(tidegate.config)
    tidegate.start()
    with Load(tidegate.address, **PACE):
        waits(tidegate, "check", "check slow: the configuration does not have it any more")
        held = 1 if how == "step" else 0   # what is asked all the time has to pass before the first step
        stays(lambda: (where(tidegate)["state"], where(tidegate)["step"]) == ("running", held), "the step", 1.3, 0.1)
    assert where(tidegate)["file_differs"]
    ask(tidegate, "abort")
    ask(tidegate, "start")
    assert where(tidegate)["step"] == 1 and not where(tidegate)["file_differs"]


def test_a_plan_that_names_a_check_that_is_not_there_is_refused_at_start(lab):
    for rollout in (plan({"check": "smoke"}, 10), plan(10, checks=["smoke"])):
        tidegate = lab.proxy(lab.nginx("old"), route={"rollout": rollout}, checks={"smoke2": {"http": SMOKE}}, process={"ready": False})
        assert tidegate.wait(15) == 78 and "smoke" in tidegate.output, tidegate.output
