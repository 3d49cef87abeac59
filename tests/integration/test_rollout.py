"""The schedule that raises the weight: it walks, waits, stops, goes back and outlives the process. PRODUCT §3 Rollout."""
import random
import sqlite3
import subprocess
import threading
import time

import pytest

from harness import Load, eventually, ok, serve, stays
from harness.rollout import FAST, ask, decisions, has_moves, moves, plan, reaches, refused, route, waits, weight, where

HOUR = "1h"
PACE = {"clients": 4, "pause": 0.003}


def staged(lab, *steps, route=None, origins=None, **more):
    """A Tidegate with two NGINX and a rollout of these steps."""
    old, new = origins or (lab.nginx("old"), lab.nginx("new"))
    options = {key: more.pop(key) for key in ("weight",) if key in more}
    return lab.proxy(old, new, route={"rollout": plan(*steps, **more), **(route or {})}, **options)


def restart(tidegate, change=None):
    """Ends it (SIGTERM), changes the configuration, and starts it again."""
    tidegate.terminate()
    if change:
        change(tidegate.config)
        tidegate.write_config(tidegate.config)
    tidegate.start()


class Film(threading.Thread):
    """Looks at the route again and again; the last look at each step is kept."""

    def __init__(self, tidegate):
        super().__init__(daemon=True)
        self.tidegate, self.looks, self.over = tidegate, {}, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            now = route(self.tidegate)
            at = now["rollout"]
            self.looks.setdefault((at["state"], at["step"], now["weight"]["effective"]), []).append(now)

    def end(self):
        self.over.set()
        self.join(20)
        return self.looks


# --- it walks

@pytest.mark.deadline(120)
def test_it_walks_its_steps_by_itself_with_exact_weights_and_no_failed_request(lab):
    tidegate = staged(lab, 10, 25, 50, 100, bake="1s")
    with Load(tidegate.address, **PACE) as load:
        eventually(lambda: load.total > 50, "traffic")
        ask(tidegate, "start", actor="ann", reason="release 7")
        film = Film(tidegate)
        reaches(tidegate, "completed", 4, 60)
        after = load.total + 100
        eventually(lambda: load.total > after, "traffic after the end")
        looks = film.end()
    assert load.errors == 0 and set(load.statuses) == {200}, load.statuses
    assert [key for key in looks if key[0] == "running"] == [("running", 1, 10), ("running", 2, 25), ("running", 3, 50),
                                                             ("running", 4, 100)]
    for (state, _, percent), seen in looks.items():
        counts = seen[-1]["gate"]["step"]
        total = counts["new"]["requests"] + counts["old"]["requests"]
        if state == "running":
            assert total > 20 and abs(counts["new"]["requests"] - total * percent / 100) <= 3, (percent, counts)
    has_moves(tidegate, [("rollout_start", "0", "10"), ("step", "10", "25"), ("step", "25", "50"), ("step", "50", "100"),
                         ("rollout_bake", "100", "100"), ("rollout_completed", "100", "100")])
    first, second = decisions(tidegate)[:2]
    assert (first["actor"], second["actor"]) == ("ann", "rollout") and "release 7" in first["reason"]
    assert "step 1 of 4: weight 10 % for 1s" in first["reason"] and "step 2 of 4: weight 25 %" in second["reason"]
    assert lab.client(tidegate).get("/").text == "new\n"


def test_mirror_steps_copy_before_anything_is_live_and_need_a_copy(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = staged(lab, {"mirror": 100, "for": "1s"}, 50, origins=(old, new), route={"mirror": {"percent": 0}})
    ask(tidegate, "start")
    waits(tidegate, "evidence", "0 of 1 copy seen")
    stays(lambda: where(tidegate)["step"] == 1, "the mirror step", 1.3, 0.1)
    assert route(tidegate)["mirror"]["percent"] == 100 and weight(tidegate) == 0
    client = lab.client(tidegate)
    assert client.get("/").text == "old"
    reaches(tidegate, "running", 2)
    assert [request.get("x-tidegate-mirror") for request in new.requests] == ["1"]
    assert weight(tidegate) == 50 and sorted(client.get("/").text for _ in range(20)) == ["new"] * 10 + ["old"] * 10


def test_a_pause_step_waits_for_a_person_and_one_with_a_time_does_not(lab):
    tidegate = staged(lab, 10, {"pause": {}}, {"pause": "1s"}, 50)
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        at = reaches(tidegate, "paused", 2)["rollout"]
        assert at["pause"] == {"by": "step", "sentence": "the plan pauses here until a person resumes"}
        assert [one["reason"] for one in at["waiting"]] == ["person"]
        stays(lambda: (where(tidegate)["state"], weight(tidegate)) == ("paused", 10), "the pause", 1.5, 0.1)
        ask(tidegate, "resume", actor="bo")
        reaches(tidegate, "running", 3)
        reaches(tidegate, "completed")
    assert load.errors == 0
    has_moves(tidegate, [("rollout_start", "0", "10"), ("step", "10", "10"), ("rollout_resume", "10", "10"),
                         ("step", "10", "10"), ("step", "10", "50"), ("rollout_completed", "50", "50")])


def test_a_person_pauses_it_with_the_weight_as_it_is_and_the_step_begins_anew_at_resume(lab):
    tidegate = staged(lab, 10, {"weight": 50, "for": "2s"}, 100)
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        reaches(tidegate, "running", 2)
        ask(tidegate, "pause", actor="cy", reason="lunch")
        at = where(tidegate)
        assert (at["state"], at["step"], at["pause"]) == ("paused", 2, {"by": "person", "sentence": "lunch"})
        assert ask(tidegate, "pause").json["note"], "paused already"
        stays(lambda: (where(tidegate)["state"], weight(tidegate)) == ("paused", 50), "the pause", 2.5, 0.1)
        asked = time.monotonic()
        ask(tidegate, "resume")
        elapsed = where(tidegate)["step_elapsed_s"]
        # The pause alone was 2.5 s; the step's clock may be a turn of the engine older than the answer.
        assert elapsed <= time.monotonic() - asked + 1, "the time of before does not count"
        reaches(tidegate, "completed")
    assert load.errors == 0
    has_moves(tidegate, [("rollout_start", "0", "10"), ("step", "10", "50"), ("rollout_pause", "50", "50"),
                         ("rollout_resume", "50", "50"), ("step", "50", "100"), ("rollout_completed", "100", "100")])


def test_promote_skips_the_wait_and_full_goes_to_the_last_step(lab):
    tidegate = staged(lab, *({"weight": w, "for": HOUR} for w in (10, 25, 50, 100)), bake=HOUR)
    ask(tidegate, "start")
    assert ask(tidegate, "promote").json["durable"]
    assert (where(tidegate)["step"], weight(tidegate)) == (2, 25)
    ask(tidegate, "pause")
    ask(tidegate, "promote")
    assert (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 3, 50)
    ask(tidegate, "promote", full=True, actor="dee")
    assert (where(tidegate)["step"], weight(tidegate)) == (4, 100)
    assert lab.client(tidegate).get("/").text == "new\n"
    ask(tidegate, "promote")
    assert where(tidegate)["state"] == "baking"
    ask(tidegate, "promote")
    assert where(tidegate)["state"] == "completed"
    ask(tidegate, "promote", 400, full="yes")
    assert decisions(tidegate)[4]["actor"] == "dee"


# --- it goes back

def test_abort_gives_everything_to_old_puts_the_mirror_back_and_does_not_latch(lab):
    tidegate = staged(lab, {"mirror": 100, "for": "1s"}, {"weight": 50, "for": HOUR}, route={"mirror": {"percent": 5}})
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        reaches(tidegate, "running", 2)
        assert route(tidegate)["mirror"]["percent"] == 100
        ask(tidegate, "abort", reason="not today")
        now = route(tidegate)
        assert (now["rollout"]["state"], now["weight"]["effective"], now["mirror"]["percent"]) == ("aborted", 0, 5)
        assert not now["latched"] and sum(now["reverts"].values()) == 0
        client = lab.client(tidegate)
        assert [client.get("/").text for _ in range(50)] == ["old\n"] * 50
    assert load.errors == 0
    refused(tidegate, "abort", "aborted", "tidegate rollout start all")
    tidegate.api.weight(10)


def test_a_retry_after_an_abort_begins_at_the_first_step(lab):
    tidegate = staged(lab, {"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})
    refused(tidegate, "retry", "start")
    ask(tidegate, "start")
    ask(tidegate, "promote")
    ask(tidegate, "abort")
    ask(tidegate, "retry", actor="eve")
    now = route(tidegate)
    assert (now["rollout"]["state"], now["rollout"]["step"], now["weight"]["effective"]) == ("running", 1, 10)
    assert now["rollout"]["started_by"] == "eve"


def test_undo_puts_the_weights_of_before_the_rollout_back(lab):
    tidegate = staged(lab, {"mirror": 50, "for": "1s"}, 10, 100, weight=5, route={"mirror": {"percent": 20}})
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        assert where(tidegate)["weight_before"] == 5
        refused(tidegate, "undo", "running", "abort it")
        reaches(tidegate, "completed")
        ask(tidegate, "undo", reason="legal said no")
        now = route(tidegate)
        assert (now["weight"]["effective"], now["mirror"]["percent"], now["rollout"]["state"]) == (5, 20, "idle")
    assert load.errors == 0 and not now["latched"]
    assert decisions(tidegate)[-1]["action"] == "rollout_undo" and "legal said no" in decisions(tidegate)[-1]["reason"]
    refused(tidegate, "undo", "idle")
    ask(tidegate, "start")


def test_a_start_at_the_wrong_time_is_a_conflict_that_says_what_to_do(lab):
    tidegate = staged(lab, {"weight": 10, "for": HOUR}, 100)
    for verb in ("pause", "resume", "promote", "abort", "undo", "retry"):
        refused(tidegate, verb, "idle", "tidegate rollout start all")
    tidegate.api.weight(20)
    refused(tidegate, "start", "the weight is 20 %", "10 %", "tidegate weight all 10")
    tidegate.api.weight(10)
    ask(tidegate, "start")
    refused(tidegate, "start", "running", "abort it")
    tidegate.api.post("revert", body={"reason": "bad release"})
    assert where(tidegate)["state"] == "reverted" and weight(tidegate) == 0
    for verb in ("start", "retry"):
        refused(tidegate, verb, "latched", "bad release", "tidegate rearm all")
    tidegate.api.post("rearm")
    ask(tidegate, "retry")
    assert (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 1, 10)


def test_a_route_without_a_plan_says_how_to_give_it_one(lab):
    tidegate = lab.proxy(lab.nginx("old"))
    assert where(tidegate) is None
    assert "rollout: {}" in ask(tidegate, "start", 400).json["error"]["message"]
    assert ask(tidegate, "stop", 404)


# --- what it waits for

def test_without_traffic_it_never_goes_on(lab):
    tidegate = staged(lab, 10, 50)
    ask(tidegate, "start")
    waits(tidegate, "evidence", "0 of 1 request of new seen")
    stays(lambda: (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 1, 10), "step 1", 2, 0.1)
    assert any(one["sentence"] == "0 of 1 request of new seen" for one in where(tidegate)["waiting"])
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").status == 200 and where(tidegate)["step"] == 2, "step 2", 20)


def test_it_waits_for_the_least_number_of_requests(lab):
    tidegate = staged(lab, 50, 60, min_requests=50)
    ask(tidegate, "start")
    client = lab.client(tidegate)
    new = lambda: where(tidegate)["requests_new"]
    assert all(client.get("/").status == 200 for _ in range(90))
    eventually(lambda: 44 <= new() <= 46, "the requests of new")
    waits(tidegate, "evidence", f"{new()} of 50 requests of new seen")
    stays(lambda: where(tidegate)["step"] == 1, "step 1", 1.5, 0.1)
    assert all(client.get("/").status == 200 for _ in range(14))
    reaches(tidegate, "running", 2)


@pytest.mark.deadline(90)
def test_a_proven_step_waits_for_the_gates_proof_and_then_goes_on(lab):
    tidegate = staged(lab, {"weight": 20, "for": "2s"}, {"weight": 50, "for": "2s"}, {"weight": 100}, advance="proven",
                      route={"gate": {"max_error_rate": "5%", "comparison_margin": "5%"}})
    ask(tidegate, "start")
    client = lab.client(tidegate)
    assert all(client.get("/").status == 200 for _ in range(30))
    eventually(lambda: where(tidegate)["step_elapsed_s"] > 2.5, "the time of the step over", 20)
    assert "% of the evidence" in waits(tidegate, "gate", "the gate has not proven yet")
    stays(lambda: where(tidegate)["step"] == 1, "step 1", 1, 0.1)
    with Load(tidegate.address, **PACE) as load:
        reaches(tidegate, "running", 2, 40)
        reaches(tidegate, "completed", 3, 40)
    assert load.errors == 0


# --- people and the gate take a hand in it

def test_a_weight_set_by_hand_pauses_and_resume_puts_the_steps_weight_back(lab):
    tidegate = staged(lab, {"weight": 50, "for": "2s"}, 100)
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start")
        for by_hand in (20, 70):
            tidegate.api.weight(by_hand, actor="fay")
            at = where(tidegate)
            assert (at["state"], at["pause"]["by"]) == ("paused", "hand")
            assert at["pause"]["sentence"] == f"the weight was set to {by_hand} % by fay"
            stays(lambda: (weight(tidegate), where(tidegate)["state"]) == (by_hand, "paused"), "the weight by hand", 0.5, 0.1)
            ask(tidegate, "resume")
            assert (weight(tidegate), where(tidegate)["step"], where(tidegate)["state"]) == (50, 1, "running")
        reaches(tidegate, "completed")


def test_a_revert_of_the_gate_ends_it_and_a_retry_after_a_rearm_begins_anew(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = staged(lab, 10, {"weight": 50, "for": HOUR}, origins=(old, new), route={"gate": FAST})
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start")
        reaches(tidegate, "running", 2)
        new.fail()
        now = reaches(tidegate, "reverted", 2)
        assert now["latched"] and now["weight"]["effective"] == 0 and now["rollout"]["waiting"] == []
        made = eventually(lambda: [d for d in decisions(tidegate) if d["action"] == "revert"], "the decision")[0]
        assert made["actor"] == "gate" and made["from"] == "50" and "new failed " in made["reason"] and made["record"]
        for verb in ("start", "retry"):
            refused(tidegate, verb, "latched", "tidegate rearm all")
        new.fail(False)
        tidegate.api.post("rearm")
        assert (where(tidegate)["state"], weight(tidegate)) == ("reverted", 0)
        ask(tidegate, "retry")
        assert (where(tidegate)["step"], weight(tidegate)) == (1, 10)
        reaches(tidegate, "running", 2)


def test_on_fail_pause_pauses_it_and_keeps_the_weight(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = staged(lab, {"weight": 50, "for": "1s"}, 100, origins=(old, new), route={"gate": {**FAST, "on_fail": "pause"}})
    new.fail()
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start")
        now = reaches(tidegate, "paused", 1)
        assert now["rollout"]["pause"]["by"] == "gate" and "new failed " in now["rollout"]["pause"]["sentence"]
        stays(lambda: (weight(tidegate), where(tidegate)["state"]) == (50, "paused"), "the pause", 1, 0.1)
        assert not route(tidegate)["latched"]
        pause = eventually(lambda: [d for d in decisions(tidegate) if d["action"] == "rollout_pause"], "the decision")[0]
        assert pause["actor"] == "gate" and "new failed " in pause["reason"]
    assert sum(route(tidegate)["reverts"].values()) == 0


# --- it outlives the process

def test_after_kill_9_it_goes_on_in_the_same_step_with_the_steps_time_anew(lab):
    tidegate = staged(lab, 10, {"weight": 25, "for": HOUR}, 50, route={"mirror": {"percent": 0}})
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start", actor="gil")
        reaches(tidegate, "running", 2)
        eventually(lambda: where(tidegate)["step_elapsed_s"] > 1, "a part of the step")
        before = where(tidegate)
        tidegate.kill()
    restarted = time.monotonic()
    tidegate.start()
    now = route(tidegate)
    at = now["rollout"]
    assert at["step_elapsed_s"] <= time.monotonic() - restarted
    assert (at["state"], at["step"], now["weight"]["effective"], at["started_by"]) == ("running", 2, 25, "gil")
    assert at["started_at"] == before["started_at"] and at["steps"] == before["steps"]
    tidegate.logs("the rollout of route all goes on: running, step 2 of 3")
    assert moves(tidegate) == [("rollout_start", "0", "10"), ("step", "10", "25")]


@pytest.mark.parametrize("verb,state", [("pause", "paused"), ("abort", "aborted"), ("promote", "running")])
def test_what_a_person_did_is_still_so_after_kill_9(lab, verb, state):
    tidegate = staged(lab, {"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})
    ask(tidegate, "start")
    ask(tidegate, verb, actor="hal", reason="because")
    before = route(tidegate)
    tidegate.kill()
    tidegate.start()
    now = route(tidegate)
    assert now["rollout"]["state"] == state and now["epoch"] == before["epoch"]
    for key in ("step", "pause", "steps", "weight_before"):
        assert now["rollout"][key] == before["rollout"][key], key
    assert now["weight"]["effective"] == before["weight"]["effective"] and not now["latched"]


def test_a_bake_time_begins_anew_after_kill_9(lab):
    tidegate = staged(lab, {"weight": 100, "for": HOUR}, bake=HOUR)
    ask(tidegate, "start")
    ask(tidegate, "promote")
    eventually(lambda: where(tidegate)["bake_elapsed_s"] > 0.5, "a part of the bake time")
    tidegate.kill()
    restarted = time.monotonic()
    tidegate.start()
    at = where(tidegate)
    assert at["state"] == "baking" and at["bake_elapsed_s"] <= time.monotonic() - restarted and weight(tidegate) == 100
    waits(tidegate, "evidence", "0 of 1 request of new seen")


@pytest.mark.deadline(150)
def test_killed_at_random_moments_it_never_skips_a_step_and_ends(lab):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    weights = [10, 20, 30, 40, 100]
    tidegate = staged(lab, *weights)
    begun = [time.time() * 1000]
    ask(tidegate, "start")
    for _ in range(6):
        with Load(tidegate.address, **PACE):
            stays(lambda: True, "this life", chance.uniform(0.05, 1.6))
            tidegate.kill()
        begun.append(time.time() * 1000)
        tidegate.start()
        now = route(tidegate)
        made = [m for m in moves(tidegate) if m[0] != "rollout_completed"]
        assert made == [("rollout_start", "0", "10")] + [("step", str(a), str(b)) for a, b in zip(weights, weights[1:])][:len(made) - 1]
        assert now["rollout"]["step"] == len(made) and now["weight"]["effective"] == weights[len(made) - 1]
    with Load(tidegate.address, **PACE) as load:
        reaches(tidegate, "completed", 5, 60)
    assert load.errors == 0
    made = decisions(tidegate)
    assert [d["to"] for d in made] == ["10", "20", "30", "40", "100", "100"]
    for earlier, later in zip(made, made[1:]):
        life = max(moment for moment in begun if moment <= later["at_ms"])
        assert later["at_ms"] >= max(earlier["at_ms"], life) + 900, "a step is watched for its whole time in one life"


def test_a_plan_that_changes_in_the_file_is_for_the_next_start(lab):
    tidegate = staged(lab, {"weight": 10, "for": "1s"}, 20)
    ask(tidegate, "start")
    assert not where(tidegate)["file_differs"]
    restart(tidegate, lambda config: config["routes"][0].update(rollout=plan(30, 40, 50)))
    at = where(tidegate)
    assert at["file_differs"] and [step["weight"] for step in at["steps"]] == [10, 20] and at["step"] == 1
    with Load(tidegate.address, **PACE):
        reaches(tidegate, "completed", 2)
        assert weight(tidegate) == 20
        ask(tidegate, "start")
        at = where(tidegate)
        assert [step["weight"] for step in at["steps"]] == [30, 40, 50] and not at["file_differs"]
        assert weight(tidegate) == 30


def test_a_weight_that_changes_in_the_file_pauses_it(lab):
    tidegate = staged(lab, {"weight": 10, "for": HOUR}, 50)
    ask(tidegate, "start")
    restart(tidegate, lambda config: config["routes"][0].update(weight=7))
    at = where(tidegate)
    assert (at["state"], at["pause"]) == ("paused", {"by": "hand", "sentence": "the weight of the file changed"})
    assert weight(tidegate) == 7
    tidegate.kill()
    tidegate.start()
    assert (where(tidegate)["state"], weight(tidegate)) == ("paused", 7)
    ask(tidegate, "resume")
    assert (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 1, 10)


@pytest.mark.deadline(120)
def test_with_a_full_disk_nothing_goes_on_and_it_says_why_and_then_it_goes_on(lab):
    tidegate = staged(lab, 10, 50, 100)
    with Load(tidegate.address, **PACE) as load:
        ask(tidegate, "start")
        tidegate.full_disk()
        waits(tidegate, "store", "the next step cannot be made durable: ")
        assert (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("running", 1, 10)
        assert ask(tidegate, "promote", 503).json["error"]["code"] == "store_failed"
        assert ask(tidegate, "pause").json["durable"] is False, "what protects users waits for nothing"
        assert ask(tidegate, "resume", 503).json["error"]["code"] == "store_failed"
        assert (where(tidegate)["state"], weight(tidegate)) == ("paused", 10)
        tidegate.full_disk(False)
        eventually(lambda: tidegate.api.status()["store"]["pending"] == 0, "nothing pending", 30, 0.1)
        ask(tidegate, "resume")
        reaches(tidegate, "completed", 3, 60)
    assert load.errors == 0
    assert [m for m in moves(tidegate) if m[0] == "step"] == [("step", "10", "50"), ("step", "50", "100")]


@pytest.mark.deadline(120)
def test_a_step_that_could_not_be_written_is_tried_again_by_itself(lab):
    tidegate = staged(lab, 10, 50)
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start")
        tidegate.full_disk()
        waits(tidegate, "store", "the next step cannot be made durable: ")
        tidegate.full_disk(False)
        reaches(tidegate, "running", 2, 40)
    assert weight(tidegate) == 50


def test_a_start_that_cannot_be_written_is_refused_and_nothing_has_happened(lab):
    tidegate = staged(lab, 10, 50)
    tidegate.full_disk()
    assert "a restart would forget it" in ask(tidegate, "start", 503).json["error"]["message"]
    assert (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("idle", 0, 0)
    tidegate.full_disk(False)
    ask(tidegate, "start")
    assert (where(tidegate)["state"], weight(tidegate)) == ("running", 10)


def test_a_pause_while_a_step_is_being_written_wins_and_the_history_says_that_the_step_never_was_in_force(lab):
    tidegate = staged(lab, 10, {"weight": 50, "for": HOUR})
    with Load(tidegate.address, **PACE):
        ask(tidegate, "start")
        busy = sqlite3.connect(tidegate.config["state"]["path"], isolation_level=None)
        busy.execute("BEGIN IMMEDIATE")     # whatever is written now waits
        eventually(lambda: tidegate.api.status()["store"]["pending"] == 1, "the step being written", 20, 0.02)
        assert (where(tidegate)["step"], weight(tidegate)) == (1, 10), "not in force before it is durable"
        assert ask(tidegate, "pause").json["durable"] is False
        assert (where(tidegate)["state"], weight(tidegate)) == ("paused", 10)
        busy.execute("ROLLBACK")
        busy.close()
        eventually(lambda: tidegate.api.status()["store"]["pending"] == 0, "nothing pending", 30, 0.05)
        eventually(lambda: moves(tidegate)[-1] == ("rollout_pause", "50", "10"), "the pause in the history")
        assert "a move to 50 % was being written, and was never in force" in tidegate.api.history("all")[0]["reason"]
        stays(lambda: (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("paused", 1, 10), "the pause")
    tidegate.kill()
    tidegate.start()
    assert (where(tidegate)["state"], where(tidegate)["step"], weight(tidegate)) == ("paused", 1, 10)
    made = moves(tidegate)
    assert all(earlier[2] == later[1] for earlier, later in zip(made, made[1:])), made


# --- who, when and how it looks from outside

def test_of_two_people_the_one_who_saw_an_older_state_is_refused(lab):
    tidegate = staged(lab, {"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})
    seen = tidegate.api.get("/api/v1/routes/all").fields["ETag"]
    assert seen == f'"{route(tidegate)["epoch"]}"'
    epoch = ask(tidegate, "start", fields={"If-Match": seen}).json["epoch"]
    for verb in ("promote", "abort", "pause"):
        assert "changed it meanwhile" in ask(tidegate, verb, 412, {"If-Match": seen}).json["error"]["message"]
    assert (where(tidegate)["state"], where(tidegate)["step"]) == ("running", 1)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(tidegate, "promote", None, {"If-Match": f'"{epoch}"'}).status))
               for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(200) == 1 and set(answers) <= {200, 409, 412}, answers
    assert where(tidegate)["step"] == 2


def test_a_step_makes_what_people_saw_before_it_stale(lab):
    tidegate = staged(lab, 10, {"weight": 50, "for": HOUR})
    epoch = ask(tidegate, "start").json["epoch"]
    with Load(tidegate.address, **PACE):
        reaches(tidegate, "running", 2)
    ask(tidegate, "pause", 412, {"If-Match": f'"{epoch}"'})


def test_the_metrics_say_where_it_stands_and_promtool_finds_nothing_to_say(lab):
    tidegate = staged(lab, {"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})

    def shown():
        metrics = tidegate.api.metrics()
        states = {dict(labels)["state"]: v for (name, labels), v in metrics.items() if name == "tidegate_rollout_state"}
        assert set(states) == {"idle", "running", "paused", "baking", "completed", "reverted", "aborted"}
        result = subprocess.run(["promtool", "check", "metrics"], input=tidegate.api.metrics_text(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        assert (result.returncode, result.stdout.strip()) == (0, "")
        return [s for s, v in states.items() if v == 1], tidegate.api.metric("tidegate_rollout_step", route="all")

    assert shown() == (["idle"], 0)
    ask(tidegate, "start")
    assert shown() == (["running"], 1)
    ask(tidegate, "promote")
    ask(tidegate, "pause")
    assert shown() == (["paused"], 2)
    ask(tidegate, "abort")
    assert shown()[0] == ["aborted"]


def test_every_move_is_a_line_of_the_history_with_who_and_why(lab):
    tidegate = staged(lab, {"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR}, 100)
    script = [("start", {}), ("pause", {}), ("resume", {}), ("promote", {}), ("abort", {}), ("retry", {}),
              ("promote", {"full": True}), ("promote", {}), ("undo", {})]
    for i, (verb, more) in enumerate(script):
        ask(tidegate, verb, actor=f"actor-{i}", reason=f"reason-{i}", **more)
    has_moves(tidegate, [("rollout_start", "0", "10"), ("rollout_pause", "10", "10"), ("rollout_resume", "10", "10"),
                         ("rollout_promote", "10", "50"), ("rollout_abort", "50", "0"), ("rollout_retry", "0", "10"),
                         ("rollout_promote", "10", "100"), ("rollout_promote", "100", "100"), ("rollout_undo", "100", "0")])
    made = decisions(tidegate)
    for i, one in enumerate(made):
        assert one["actor"] == f"actor-{i}" and one["reason"].startswith(f"reason-{i} ("), one
    epochs = [one["epoch"] for one in made]
    assert epochs == sorted(set(epochs))
    eventually(lambda: sum(" by actor-" in line for line in tidegate.lines) == len(script), "the log having them, too")
