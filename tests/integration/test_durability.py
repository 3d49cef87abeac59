"""Decisions outlive the process: PRODUCT §1 Store, issue 2 point 7, RELIABILITY.md O17."""
import os
import signal

import pytest

from harness import Load, eventually, make_config, ok, serve


def sides(lab):
    return lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))


def restart(tidegate):
    tidegate.start()
    return tidegate.api.route()


def test_kill_9_right_after_a_revert_by_hand_and_new_is_still_at_0(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=100)
    tidegate.api.post("revert", body={"reason": "bad release"})
    tidegate.kill()
    status = restart(tidegate)
    assert status["latched"] and status["weight"]["effective"] == 0 and status["latch_reason"]
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(50)} == {"old"}
    tidegate.api.weight(10, expect=409)
    assert tidegate.api.history()[0]["reason"] == "bad release"


def test_kill_9_right_after_a_revert_by_the_gate_and_new_is_still_at_0(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"gate": {"breaker": {"requests": 10, "for": "0s"}}})
    new.fail()
    with Load(tidegate.address, clients=2):
        eventually(lambda: any(d["action"] == "revert" for d in tidegate.api.history()), "the revert", 20, 0.005)
        tidegate.kill()
    status = restart(tidegate)
    assert status["latched"] and status["weight"]["effective"] == 0
    assert tidegate.api.history()[0]["record"]


def test_what_was_answered_survives_kill_9_every_time(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=0)
    last = 0
    for i in range(12):
        last = tidegate.api.weight(i + 0.5).json["epoch"]
        tidegate.kill()
        status = restart(tidegate)
        assert (status["weight"]["effective"], status["epoch"]) == (i + 0.5, last)
    assert [d["to"] for d in tidegate.api.history()][:3] == ["11.5", "10.5", "9.5"]


def test_epochs_never_go_back_over_a_restart(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new)
    first = tidegate.api.weight(10).json["epoch"]
    tidegate.terminate()
    restart(tidegate)
    assert tidegate.api.weight(20).json["epoch"] > first


def test_a_weight_of_run_time_wins_over_the_file_until_the_files_own_changes(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=10, route={"mirror": {"percent": 30}})
    tidegate.api.weight(70)
    tidegate.api.mirror(5)
    tidegate.terminate()
    status = restart(tidegate)
    assert status["weight"] == {"file": 10, "wanted": 70, "effective": 70} and status["mirror"]["percent"] == 5
    tidegate.terminate()
    tidegate.config["routes"][0]["weight"] = 40
    tidegate.write_config(tidegate.config)
    status = restart(tidegate)
    assert status["weight"] == {"file": 40, "wanted": 40, "effective": 40}
    tidegate.terminate()
    assert restart(tidegate)["weight"]["effective"] == 40


def test_a_changed_weight_in_the_file_does_not_open_a_latch(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=10)
    tidegate.api.post("revert")
    tidegate.terminate()
    tidegate.config["routes"][0]["weight"] = 90
    tidegate.write_config(tidegate.config)
    status = restart(tidegate)
    assert status["latched"] and status["weight"]["effective"] == 0
    tidegate.api.post("rearm")
    assert tidegate.api.route()["weight"]["effective"] == 0
    tidegate.kill()
    status = restart(tidegate)
    assert not status["latched"] and status["weight"]["effective"] == 0


def test_a_rearm_survives_kill_9(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=10)
    tidegate.api.post("revert")
    tidegate.api.post("rearm")
    tidegate.api.weight(20)
    tidegate.kill()
    status = restart(tidegate)
    assert not status["latched"] and status["weight"]["effective"] == 20


def start_and_fail(lab, tidegate):
    tidegate.start(ready=False)
    code = tidegate.wait(15)
    return code, tidegate.output


@pytest.mark.parametrize("damage", ["garbage", "truncated", "a page overwritten"])
def test_a_damaged_state_file_is_a_clear_error_at_start(lab, damage):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=10)
    for i in range(20):
        tidegate.api.weight(i + 1)
    path = tidegate.config["state"]["path"] if "state" in tidegate.config else os.path.join(tidegate.directory, "tidegate.db")
    tidegate.terminate()
    for suffix in ("-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        if damage == "garbage":
            file.write(b"this is no database " * 20)
        elif damage == "truncated":
            file.truncate(size // 2 + 100)
        else:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
    code, output = start_and_fail(lab, tidegate)
    assert code == 1, output
    assert path in output and "ready" not in output.split("\n")[-1]


@pytest.mark.parametrize("what", ["missing directory", "a directory", "not writable"])
def test_a_state_file_that_cannot_be_opened_is_a_clear_error_at_start(lab, what):
    old, _ = sides(lab)
    config = make_config(old)
    path = {"missing directory": "/nonexistent/dir/tidegate.db", "a directory": "/tmp", "not writable": "/proc/tidegate.db"}[what]
    config["state"] = {"path": path}
    tidegate = lab.tidegate(config, ready=False)
    # A bad configuration, as validate says it; that /proc takes no files is found by root only when one is made.
    assert tidegate.wait(15) in ((78, 1) if what == "not writable" else (78,)) and path in tidegate.output


def test_two_processes_never_share_a_state_file(lab):
    old, _ = sides(lab)
    first = lab.proxy(old)
    path = os.path.join(first.directory, "tidegate.db")
    config = make_config(old)
    config["state"] = {"path": path}
    second = lab.tidegate(config, ready=False)
    assert second.wait(15) == 1 and path in second.output
    assert first.api.weight(10).status == 200


def test_a_store_that_fails_never_costs_a_revert_and_says_so_everywhere(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=50)
    assert tidegate.api.metric("tidegate_store_connected") == 1
    tidegate.full_disk()
    answer = tidegate.api.post("revert", expect=200)
    assert answer.json["durable"] is False and answer.json["note"]
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(20)} == {"old"}
    status = tidegate.api.status()
    assert status["store"]["healthy"] is False and status["store"]["last_error"] and status["store"]["pending"] >= 1
    assert status["routes"][0]["latched"] and status["routes"][0]["weight"]["effective"] == 0
    assert tidegate.api.metric("tidegate_store_connected") == 0 and tidegate.api.metric("tidegate_store_failures_total") >= 1
    eventually(lambda: "not durable" in tidegate.output, "the log's alarm")
    assert "store" in tidegate.cli("status").stdout
    tidegate.full_disk(False)
    eventually(lambda: tidegate.api.status()["store"]["healthy"], "the store well again", 30, 0.1)
    eventually(lambda: tidegate.api.status()["store"]["pending"] == 0, "nothing pending", 30, 0.1)
    tidegate.kill()
    assert restart(tidegate)["latched"], "the revert was written as soon as it could be"


def test_a_gates_revert_is_in_force_while_the_store_fails(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"gate": {"breaker": {"requests": 10, "for": "0s"}}})
    tidegate.full_disk()
    new.fail()
    with Load(tidegate.address):
        eventually(lambda: tidegate.api.route()["latched"], "the revert", 20, 0.05)
    assert tidegate.api.route()["weight"]["effective"] == 0
    tidegate.full_disk(False)


def test_what_exposes_users_to_new_is_refused_while_the_store_fails(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=10)
    tidegate.full_disk()
    answer = tidegate.api.weight(50, expect=503)
    assert answer.json["error"]["code"] == "store_failed"
    assert tidegate.api.route()["weight"]["effective"] == 10
    tidegate.api.post("revert")
    tidegate.api.post("rearm", expect=503)
    assert tidegate.api.route()["latched"]
    tidegate.full_disk(False)
    eventually(lambda: tidegate.api.status()["store"]["pending"] == 0, "nothing pending", 30, 0.1)
    tidegate.api.post("rearm")
    tidegate.api.weight(50)


def test_a_lower_weight_is_in_force_while_the_store_fails(lab):
    old, new = sides(lab)
    tidegate = lab.proxy(old, new, weight=50)
    tidegate.full_disk()
    assert tidegate.api.weight(5).json["durable"] is False
    assert tidegate.api.route()["weight"]["effective"] == 5
    tidegate.full_disk(False)


def test_the_state_stands_beside_the_configuration_or_in_state_directory(lab, tmp_path):
    old, _ = sides(lab)
    config = make_config(old)
    directory = tmp_path / "state"
    directory.mkdir()
    import json
    text = json.dumps(config)
    beside = lab.tidegate(text)
    assert os.path.exists(os.path.join(beside.directory, "tidegate.db"))
    beside.signal(signal.SIGTERM)
    beside.wait()
    lab.tidegate(text, env={"STATE_DIRECTORY": str(directory)})
    assert (directory / "tidegate.db").exists()
