"""The story of the migration guide, told once whole and twice with an accident: shadow, canary, progressive increase,
complete; with its smoke tests, its Prometheus query and its weights. Seconds stand for its minutes."""
import re

import pytest

from harness import WrkLoad, eventually, stays
from harness.ports import free_port
from harness.rollout import ask, decisions, has_moves, reaches, refused, route, waits, weight, where

WEIGHTS = (10, 25, 50, 75, 90, 100)                          # gradual-cutover.sh
GUIDE = 'rate(http_requests_total{status=~"5.."}[5m])'       # and what it asks Prometheus
SMOKE = [{"path": "/health"}, {"path": "/api/v1/status"}, {"path": "/api/v1/db-check"}]
ORDERS = "/api/v1/orders"


class Scene:
    """Two clusters that share a database, Tidegate before them, Prometheus beside it, and customers."""

    def __init__(self, lab, steps, during, **rollout):
        self.database = lab.nginx("database")
        self.old = lab.nginx("old", database=self.database)
        self.new = lab.nginx("new", database=self.database, log=True)
        address = f"127.0.0.1:{free_port()}"
        checks = {"smoke": {"http": SMOKE, "side": "new", "interval": "10s"},
                  "alive": {"http": SMOKE[:1], "side": "new", "interval": "500ms"},
                  "errors": {"prometheus": {"url": f"http://{address}", "query": GUIDE, "max": 0.01}, "interval": "30s"}}
        plan = {"steps": [{"check": "smoke"}, {"mirror": 100, "for": "2s"}, *steps], "checks": during, **rollout}
        self.tidegate = lab.proxy(self.old, self.new, workers=2, metrics={"address": "127.0.0.1:0"}, checks=checks,
                                  route={"mirror": {"percent": 0}, "rollout": plan})
        self.prometheus = lab.prometheus(self.tidegate.metrics_address, address)
        eventually(lambda: self.prometheus.query(GUIDE), "the series", 30, 0.2)

    def customers(self):
        return WrkLoad(self.tidegate.url(ORDERS))

    def live_at_new(self):
        return self.tidegate.api.metric("http_requests_total", side="new")

    def everybody_is_served_by(self, side, lab):
        client = lab.client(self.tidegate)
        answers = [client.get("/api/v1/status") for _ in range(50)]
        assert {answer.text for answer in answers} == {f"{side} is up\n"}


def step(percent, seconds=2):
    return {"weight": percent, "for": f"{seconds}s"}


@pytest.mark.deadline(240)
def test_a_migration_goes_through_with_no_failed_request(lab):
    scene = Scene(lab, [step(percent) for percent in WEIGHTS], ["smoke", "alive", "errors"], bake="2s")
    tidegate = scene.tidegate
    with scene.customers() as customers:
        eventually(lambda: tidegate.api.metric("http_requests_total", side="old") > 500, "customers", 30)
        ask(tidegate, "start", actor="ann", reason="move to the new cluster")
        reaches(tidegate, "running", 2)
        eventually(lambda: route(tidegate)["mirror"]["mirrored"] > 0, "copies", 30)
        assert where(tidegate)["step"] > 2 or scene.live_at_new() == 0
        for number, percent in enumerate(WEIGHTS, 3):
            now = reaches(tidegate, "running", number, 60)
            assert now["weight"]["effective"] == percent
        reaches(tidegate, "completed", 8, 60)
        result = customers.stop()
    assert result.requests > 2000 and result.failed == 0, result
    copies = scene.new.seen(ORDERS)
    assert copies[0] and copies.index(False) > 100, "the shadow came first"
    weights = [0, 0, 0, *WEIGHTS]   # the checks before it, the smoke tests, the shadow
    has_moves(tidegate, [("rollout_start", "0", "0")] + [("step", str(a), str(b)) for a, b in zip(weights, weights[1:])]
              + [("rollout_bake", "100", "100"), ("rollout_completed", "100", "100")])
    scene.everybody_is_served_by("new", lab)
    assert all(value == 0 for _, value in scene.prometheus.query(GUIDE))
    for check in ("smoke", "alive", "errors"):
        assert tidegate.api.metric("tidegate_checks_total", check=check, verdict="pass") >= 7
        assert tidegate.api.metric("tidegate_checks_total", check=check, verdict="fail") == 0
    assert sum(route(tidegate)["reverts"].values()) == 0


@pytest.mark.deadline(240)
def test_errors_in_one_of_twenty_requests_at_half_of_the_traffic_are_found_and_reverted(lab):
    scene = Scene(lab, [step(10), step(25), step(50, 60), step(75), step(90), step(100)], ["smoke", "errors"], bake="2s")
    tidegate = scene.tidegate
    with scene.customers() as customers:
        ask(tidegate, "start")
        reaches(tidegate, "running", 5, 90)
        assert weight(tidegate) == 50 and tidegate.api.metric("http_requests_total", status="500") == 0
        scene.new.fail_some()
        now = reaches(tidegate, "reverted", 5, 60)
        assert now["latched"] and now["weight"]["effective"] == 0
        failed = tidegate.api.metric("http_requests_total", status="500", side="new")
        before = tidegate.api.metric("http_requests_total", side="old")
        eventually(lambda: tidegate.api.metric("http_requests_total", side="old") > before + 500, "traffic on old", 30)
        assert tidegate.api.metric("http_requests_total", status="500", side="new") <= failed + 8, "those in flight"
        result = customers.stop()
    assert result.socket_errors == 0 and 0 < result.bad_statuses < 0.05 * result.requests, result
    assert tidegate.api.metric("http_requests_total", status="500", side="old") == 0
    made = [d for d in decisions(tidegate) if d["action"] == "revert"]
    assert len(made) == 1 and (made[0]["actor"], made[0]["from"], made[0]["to"]) == ("gate", "50", "0")
    said = re.search(r"new failed (\d+) of (\d+) requests in [\d.]+ m?s, old 0 of (\d+) in the same time, threshold 1 %", made[0]["reason"])
    assert said, made[0]["reason"]
    failures, requests, of_old = map(int, said.groups())
    assert 10 < failures < 0.2 * requests and of_old > 0
    assert made[0]["record"] and "same answer" in tidegate.cli("explain", str(made[0]["epoch"])).stdout
    assert now["latch_reason"] == made[0]["reason"]
    scene.everybody_is_served_by("old", lab)
    refused(tidegate, "start", "latched", "tidegate rearm all")


@pytest.mark.deadline(240)
def test_when_the_database_that_both_share_fails_it_is_held_and_goes_on_when_it_is_back(lab):
    scene = Scene(lab, [step(10), step(50), step(100)], ["alive"])
    tidegate = scene.tidegate
    with scene.customers() as customers:
        ask(tidegate, "start")
        reaches(tidegate, "running", 4, 60)
        scene.database.fail_database()
        waits(tidegate, "gate", "old fails too", seconds=40)
        eventually(lambda: where(tidegate)["step_elapsed_s"] > 3, "the time of the step over", 30)
        stays(lambda: (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 4, 50), "the step", 2, 0.1)
        now = route(tidegate)
        assert now["gate"]["reason"] == "shared_degradation" and not now["latched"] and sum(now["reverts"].values()) == 0
        hold = eventually(lambda: [d for d in decisions(tidegate) if d["action"] == "hold"], "the decision")[0]
        assert (hold["actor"], hold["from"], hold["to"]) == ("gate", "50", "50") and "held because old fails too" in hold["reason"]
        scene.database.fail_database(False)
        failed = lambda: tidegate.api.metric("http_requests_total", status="500")
        reaches(tidegate, "running", 5, 90)
        after = failed()
        reaches(tidegate, "completed", 5, 60)
        assert failed() == after and weight(tidegate) == 100
        result = customers.stop()
    assert result.bad_statuses > 0 and result.socket_errors == 0, result
    assert [d["action"] for d in decisions(tidegate)].count("hold") >= 1
    scene.everybody_is_served_by("new", lab)
