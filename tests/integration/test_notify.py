"""Who is told of decisions: in which words, that a target which fails or hangs delays nothing, and that it is seen. PRODUCT §2 notify."""
import json
import threading

from harness import Load, eventually, ok, serve
from harness.ports import refusing_address
from harness.rollout import ask, plan, reaches, weight

HOUR = "1h"


class Inbox:
    """A webhook that remembers what it was told."""

    def __init__(self, lab, status="200 OK"):
        self.status = status
        self.server = lab.origin(serve(lambda request: ok("", self.status)))

    def url(self, path="/services/SECRET"):
        return f"http://{self.server.address}{path}"

    def told(self):
        with self.server.lock:
            return [json.loads(request.body) for request in self.server.requests if request.complete]


def staged(lab, notify, *steps, **more):
    return lab.proxy(lab.nginx("old"), lab.nginx("new"), route={"rollout": plan(*steps)}, notify=notify, **more)


def results(tidegate, target="0"):
    return {result: tidegate.api.metric("tidegate_notifications_total", target=target, result=result)
            for result in ("delivered", "failed", "dropped")}


def test_every_decision_of_a_rollout_is_told_as_json_in_order(lab):
    inbox = Inbox(lab)
    tidegate = staged(lab, [{"webhook": {"url": inbox.url()}}], {"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})
    ask(tidegate, "start", actor="ann", reason="ticket 4711")
    ask(tidegate, "promote", actor="ann")
    ask(tidegate, "pause", actor="bo", reason="lunch")
    ask(tidegate, "abort", actor="bo")
    told = eventually(lambda: len(inbox.told()) == 4 and inbox.told(), "four notifications", 20)
    assert [(one["event"], one["from"], one["to"], one["actor"]) for one in told] == [
        ("started", "0 %", "10 %", "ann"), ("step", "10 %", "50 %", "ann"), ("paused", "", "", "bo"), ("aborted", "50 %", "0 %", "bo")]
    assert {one["route"] for one in told} == {"all"} and told[0]["sentence"].startswith("ticket 4711 (step 1 of 2")
    assert [one["epoch"] for one in told] == sorted(one["epoch"] for one in told)
    eventually(lambda: results(tidegate) == {"delivered": 4, "failed": 0, "dropped": 0}, "the count")
    row = tidegate.api.status()["notify"][0]
    assert row["delivered"] == 4 and row["origin"] == f"http://{inbox.server.address}" and row["last_error"] is None
    assert "SECRET" not in tidegate.api.metrics_text() + json.dumps(tidegate.api.status()) + tidegate.api.get("/api/v1/config").text


def test_a_revert_is_told_to_slack_and_only_what_was_asked_for(lab):
    inbox = Inbox(lab)
    tidegate = staged(lab, [{"webhook": {"url": inbox.url(), "format": "slack"}, "on": ["reverted"]}], {"weight": 50, "for": HOUR})
    ask(tidegate, "start")
    tidegate.api.post("revert", body={"reason": "checkout <fails> & burns", "actor": "ann"})
    told = eventually(inbox.told, "the revert", 20)
    assert len(told) == 1
    message = json.dumps(told[0])
    assert "text" in told[0] and "&lt;fails&gt; &amp; burns" in message and "all" in told[0]["text"]
    assert told[0]["attachments"][0]["color"] == "danger"


def test_a_target_that_hangs_or_refuses_delays_no_decision_and_is_seen(lab):
    held = threading.Event()
    hanging = lab.origin(serve(lambda request: held.wait(60) and ok("")))
    inbox = Inbox(lab)
    targets = [{"webhook": {"url": f"http://{hanging.address}/x", "timeout": "5m"}},
               {"webhook": {"url": f"http://{refusing_address()}/SECRET"}}, {"webhook": {"url": inbox.url()}}]
    tidegate = staged(lab, targets, {"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})
    with Load(tidegate.address, clients=2) as load:
        ask(tidegate, "start")
        ask(tidegate, "promote")
        assert weight(tidegate) == 50
        tidegate.api.post("revert")
        reaches(tidegate, "reverted")
        eventually(lambda: [one["event"] for one in inbox.told()] == ["started", "step", "reverted"], "the others are told", 20)
    assert load.errors == 0
    row = eventually(lambda: [one for one in tidegate.api.status()["notify"] if one["last_error"]], "the error", 20)[0]
    assert "refused" in row["last_error"] and row["retries"] >= 0 and row["pending"] >= 1
    tidegate.logs("a notification to http://127.0.0.1:")
    assert "SECRET" not in tidegate.output
    held.set()


def test_one_that_answers_500_is_told_again_until_it_takes_it(lab):
    inbox = Inbox(lab, "500 Internal Server Error")
    tidegate = staged(lab, [{"webhook": {"url": inbox.url()}}], {"weight": 10, "for": HOUR})
    ask(tidegate, "start")
    eventually(lambda: len(inbox.told()) >= 2, "another try", 30)
    inbox.status = "200 OK"
    eventually(lambda: results(tidegate)["delivered"] == 1, "the delivery", 60)
    assert results(tidegate) == {"delivered": 1, "failed": 0, "dropped": 0}
