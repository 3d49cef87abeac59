"""SIGUSR2: the program that lies at its own path now takes over the sockets and what was decided, and the one before drains. Nobody is
refused, nothing is forgotten, and when it cannot be done the one before goes on. PRODUCT §3 Zero downtime."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import threading
from pathlib import Path

import pytest

from harness import Authority, Load, WrkLoad, eventually, make_config, ok, serve, stays
from harness.dns import SERVFAIL, a
from harness.frames import frames_of, kind
from harness.http2_load import Http2Load
from harness.ports import free_port
from harness.reload import EVIDENCE, TAG, Held, Tunnel, edited, goes_on, listen_on, prefix, refuses, reload, tag, tell_tag
from harness.rollout import ask, decisions, moves, plan, reaches, route, where
from harness.tidegate import TAKES_OVER, Api, descendants, find_binary
from test_supervisor import Notified, listening

HOUR = "1h"
QUICK = {"timeout": "20s"}
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture
def program(tmp_path):
    """A copy of the binary, that a test may replace: .path."""
    class Program:
        path = str(tmp_path / "bin" / "tidegate")

        def replace(self, script=None):
            """At once, as packages do it. @param script a shell script in its place; without one it is the binary again."""
            new = self.path + ".new"
            if script is None:
                shutil.copy(find_binary(), new)
            else:
                with open(new, "w") as file:
                    file.write("#!/bin/sh\n" + script.format(binary=find_binary(), folder=tmp_path) + "\n")
                os.chmod(new, 0o755)
            os.rename(new, self.path)
    os.makedirs(tmp_path / "bin")
    made = Program()
    made.replace()
    return made


def in_line(tidegate, pattern):
    """Of each line that has it, the match."""
    return [match for line in list(tidegate.lines) if (match := re.search(pattern, line))]


# --- who serves

def test_another_process_takes_over_and_the_one_before_ends_in_peace(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), metrics={"address": "127.0.0.1:0"}, workers=2,
                         listeners=[{"name": "web", "address": "127.0.0.1:0"}, {"name": "fixed", "address": f"127.0.0.1:{free_port()}"}])
    names, admin, metrics, first = dict(tidegate.names), tidegate.admin_address, tidegate.metrics_address, tidegate.pid
    assert lab.client(tidegate).get("/").status == 200
    seen = len(tidegate.lines)
    tidegate.upgrade()
    said = "\n".join(tidegate.lines[seen:])
    assert f"upgrade: pid {tidegate.pid} takes over" in said and f"took over from pid {first}" in said
    assert "draining" in said and said.count(" info ready") == 1
    assert tidegate.names == names and (tidegate.admin_address, tidegate.metrics_address) == (admin, metrics)
    for address in names.values():
        assert lab.client(address).get("/").status == 200
    assert Api(metrics).get("/readyz").status == tidegate.api.get("/readyz").status == 200
    assert not os.path.exists(f"/proc/{first}")


def test_it_may_be_done_again_and_again(lab):
    tidegate = lab.proxy(lab.origin(tell_tag))
    pids = [tidegate.pid]
    for _ in range(4):
        tidegate.upgrade()
        assert lab.client(tidegate).get("/").status == 200
        pids.append(tidegate.pid)
    assert len(set(pids)) == 5
    tidegate.reload()


def test_what_lies_at_its_path_now_is_what_takes_over(lab, program):
    tidegate = lab.proxy(lab.origin(tell_tag), process={"binary": program.path})
    program.replace('echo "the new program" >&2; exec {binary} "$@"')
    tidegate.upgrade()
    assert "the new program" in tidegate.output and lab.client(tidegate).get("/").status == 200


def test_it_is_started_with_the_same_arguments_in_the_same_place(lab, program):
    tidegate = lab.proxy(lab.origin(tell_tag), process={"binary": program.path, "arguments": ["--watch"], "config_name": "tidegate.yaml"})
    tidegate.upgrade()
    assert os.readlink(f"/proc/{tidegate.pid}/cwd") == os.path.realpath(tidegate.directory)
    tidegate.replace_config(edited(tidegate, tag("two")))
    eventually(lambda: lab.client(tidegate).get("/").text == "two", "it watches, too", 20)


def test_a_program_that_was_found_by_its_name_is_found_again(lab, program):
    folder = os.path.dirname(program.path)
    tidegate = lab.proxy(lab.origin(tell_tag), process={"binary": "tidegate", "env": {"PATH": folder + ":" + os.environ["PATH"]},
                                                       "wrapper": ["env"]})
    program.replace('echo "the new program" >&2; exec {binary} "$@"')
    tidegate.upgrade()
    assert "the new program" in tidegate.output


def test_what_takes_a_new_process_is_taken_over_by_one(lab, tmp_path):
    log = tmp_path / "access.log"
    tidegate = lab.proxy(lab.origin(tell_tag))
    assert tidegate.threads()["worker-1"] == 0
    tidegate.write_config(edited(tidegate, lambda config: config.update(workers=3, log={"access": {"path": str(log)}})))
    assert tidegate.api.call("POST", "/api/v1/reload", {}).status == 422
    tidegate.upgrade()
    assert tidegate.threads()["worker-2"] == 1
    assert lab.client(tidegate).get("/").status == 200
    eventually(lambda: log.exists() and log.read_text(), "the access log")


def test_a_file_that_changed_is_that_of_the_new_one(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, listeners=[{"name": "stays", "address": "127.0.0.1:0"}, {"name": "goes", "address": "127.0.0.1:0"}])
    goes_at, added = tidegate.names["goes"], f"127.0.0.1:{free_port()}"
    busy = lab.client(goes_at)
    busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/held"), "the exchange in flight")

    def edit(config):
        config["listeners"][1] = {"name": "comes", "address": added}
    tidegate.write_config(edited(tidegate, edit))
    before = tidegate.begin_upgrade()
    assert lab.client(tidegate.names["stays"]).get("/").status == lab.client(added).get("/").status == 200
    eventually(lambda: refuses(goes_at), "nobody listens where nobody should")
    first.go.set()
    assert busy.read_response().text == first.whole
    assert before.wait(20) == 0


def test_the_supervisor_is_told_of_the_new_process(lab):
    told = Notified(lab)
    tidegate = lab.proxy(lab.origin(tell_tag), process={"env": {"NOTIFY_SOCKET": told.path, "WATCHDOG_USEC": "400000"}})
    told.hears("READY=1")
    told.heard.clear()
    tidegate.upgrade()
    told.hears(f"MAINPID={tidegate.pid}")
    told.hears("READY=1")
    assert "STOPPING=1" not in told.heard, "the service goes on"
    told.heard.clear()
    told.hears("WATCHDOG=1")


def test_a_socket_that_the_supervisor_handed_over_is_handed_on(lab):
    listener, address = listening(lab)
    config = {**make_config(lab.origin(tell_tag)), "workers": 2, "listeners": [{"address": address}]}
    tidegate = lab.tidegate(config, listener=listener)
    for _ in range(2):
        tidegate.upgrade()
        clients = [lab.client(address) for _ in range(10)]
        assert [client.get("/").status for client in clients] == [200] * 10
        for client in clients:
            client.close()


@pytest.mark.parametrize("kind_of", ["path", "abstract"])
def test_a_unix_listener_is_handed_on_with_its_file(lab, tmp_path, kind_of):
    path = str(tmp_path / "a.sock")
    address = f"unix:{path}" if kind_of == "path" else f"unix:@tidegate-{os.getpid()}-{free_port()}"
    tidegate = lab.proxy(lab.origin(tell_tag), workers=2, listener={"address": address})
    inode = os.stat(path).st_ino if kind_of == "path" else None
    with Load(address, clients=4, request=CLOSE) as load:
        for _ in range(8):
            goes_on(load, requests=50)
            tidegate.upgrade()
            if inode:
                assert os.stat(path).st_ino == inode, "the one before has left it alone"
        goes_on(load, requests=50)
    print(f"8 upgrades on {kind_of}: {load}")
    assert load.errors == 0
    assert tidegate.terminate() == 0
    assert not os.path.exists(path)


# --- clients of the one before

def test_exchanges_in_flight_finish_on_the_one_before(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, drain=QUICK)
    down, late, up = (lab.client(tidegate) for _ in range(3))
    down.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    late.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
    up.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + "x" * 50000)
    eventually(lambda: all(first.asked(target) for target in ("/held", "/late", "/up")), "all in flight")
    before = tidegate.begin_upgrade()
    assert lab.client(tidegate).get("/").text == "first 0" and before.poll() is None
    up.send("x" * 50000)
    answer = up.read_response()
    assert (answer.text, answer.get("connection")) == ("first 100000", "close")
    first.go.set()
    answer = late.read_response()
    assert (answer.text, answer.get("connection")) == ("first 0", "close")
    assert down.read_response().text == first.whole
    assert before.wait(15) == 0


def test_idle_connections_are_closed_and_nobody_holds_them_any_more(lab):
    tidegate = lab.proxy(lab.origin(tell_tag))
    idle = [lab.client(tidegate) for _ in range(5)]
    for client in idle:
        assert client.get("/").status == 200
    tidegate.upgrade()
    assert [client.is_closed(10) for client in idle] == ["fin"] * 5


def test_the_new_one_inherits_no_connection_of_the_one_before(lab):
    """Neither of clients of the admin port nor to webhooks: who is at the other end would never see the end."""
    hook = lab.origin(lambda c: (c.read_request(), c.wait_for_end(60)), record=False)
    tidegate = lab.proxy(lab.origin(tell_tag), notify=[{"webhook": {"url": f"http://{hook.address}/", "timeout": "1m"}}])
    tidegate.upgrade()
    fds = tidegate._fds()
    admin = [lab.client(tidegate.admin_address) for _ in range(3)]
    assert [client.get("/healthz", host="127.0.0.1").status for client in admin] == [200] * 3
    tidegate.api.post("revert")
    eventually(lambda: hook.connections, "a notification under way")
    tidegate.upgrade()
    assert [client.is_closed(5) for client in admin] == ["fin"] * 3
    assert eventually(lambda: hook.connections[0].ended, "the end of the notification")
    tidegate.start_fds = fds
    tidegate.has_only_its_own_descriptors(10)


def test_an_admin_connection_whose_request_is_on_its_way_is_answered_by_either(lab):
    """It was accepted, so nobody else can answer it."""
    tidegate = lab.proxy(lab.origin(tell_tag))
    for _ in range(5):
        waiting = [lab.client(tidegate.admin_address) for _ in range(10)]
        before = tidegate.begin_upgrade()
        for client in waiting:
            client.send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert [client.read_response().status for client in waiting] == [200] * 10
        assert before.wait(20) == 0


def test_http2_clients_get_goaway_and_their_streams_finish(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, listener={"h2c": True}, drain=QUICK)
    client = lab.http2_client(tidegate)
    stream = client.start("/held")
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    before = tidegate.begin_upgrade()
    first.go.set()
    seen = list(frames_of(client))
    assert any(kind(frame) == "GoAway" and frame.error_code == 0 for frame in seen), seen
    assert b"".join(frame.data for frame in seen if kind(frame) == "Data" and frame.stream_id == stream).decode() == first.whole
    assert before.wait(15) == 0


def test_a_tunnel_goes_on_in_the_one_before_until_it_ends(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, drain={"timeout": HOUR})
    tunnel = Tunnel(lab, tidegate)
    before = tidegate.begin_upgrade()
    stays(lambda: tunnel.echoes("still there") and lab.client(tidegate).get("/").text == "first 0", "the tunnel, beside the new one", 2.5, 0.1)
    assert before.poll() is None
    tunnel.client.close()
    assert before.wait(15) == 0


def test_a_tunnel_that_does_not_end_is_cut_at_drain_timeout(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, drain={"timeout": "1s"})
    tunnel = Tunnel(lab, tidegate)
    assert tunnel.echoes("before")
    before = tidegate.begin_upgrade()
    assert before.wait(20) == 0
    tunnel.client.read_until_close()
    assert tunnel.client.ended and lab.client(tidegate).get("/").status == 200


def test_a_second_sigterm_to_the_one_that_drains_ends_it_and_not_the_new_one(lab):
    """The first asks for what it does already: a supervisor that ends both must not cut what is in flight."""
    first = Held(lab)
    tidegate = lab.proxy(first, drain={"timeout": HOUR})
    tunnel = Tunnel(lab, tidegate)
    before = tidegate.begin_upgrade()
    assert tunnel.echoes("still there")
    os.kill(before.pid, signal.SIGTERM)
    assert tunnel.echoes("and still")
    stays(lambda: before.poll() is None, "the one that drains")
    os.kill(before.pid, signal.SIGTERM)
    assert before.wait(15) == 0
    assert tidegate.process.poll() is None and lab.client(tidegate).get("/").status == 200


def test_sigusr1_to_the_one_that_drains_opens_the_access_logs_of_both_again(lab):
    """Whoever rotates may not know yet that another process serves: neither writes on into the renamed file."""
    path, rotated = lab.directory / "access.log", lab.directory / "access.log.1"
    first = Held(lab)
    tidegate = lab.proxy(first, log={"access": {"path": str(path)}}, drain={"timeout": HOUR})
    late = lab.client(tidegate)
    late.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/late"), "in flight")
    before = tidegate.begin_upgrade()
    path.rename(rotated)
    os.kill(before.pid, signal.SIGUSR1)
    eventually(path.exists, "a new file")

    def has(target):
        return f'"{target}"' in path.read_text()
    client = lab.client(tidegate)
    eventually(lambda: client.get("/new").status == 200 and has("/new"), "what the new one serves")
    first.go.set()
    assert late.read_response().status == 200
    assert before.wait(15) == 0 and has("/late")


def test_sigusr1_while_the_new_one_is_being_started_opens_the_access_logs_of_both_again(lab):
    """The new one may have opened the file that is renamed."""
    path, rotated = lab.directory / "access.log", lab.directory / "access.log.1"
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), log={"access": {"path": str(path)}})
    old = tidegate.pid
    tidegate.signal(signal.SIGUSR2)
    eventually(lambda: any(os.path.exists(f"/proc/{pid}/fd") for pid in descendants(old)), "the new one")
    path.rename(rotated)
    os.kill(old, signal.SIGUSR1)
    tidegate.begin_upgrade(asked=True)
    eventually(path.exists, "a new file")

    def is_there():
        assert lab.client(tidegate).get("/new").status == 200
        return '"/new"' in path.read_text()
    eventually(is_there, "what the new one serves")


# --- what is handed on

def test_weights_mirror_shares_and_latches_are_handed_on(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.tidegate(make_config(old, new, routes=[
        {"name": "all", "match": {"path": {"prefix": "/all"}}, "weight": 10, "mirror": {"percent": 30}}, {"name": "shut", "weight": 50}]))
    tidegate.api.weight(100)
    tidegate.api.mirror(5)
    tidegate.api.post("revert", route="shut", body={"reason": "bad release"})
    epoch = tidegate.api.route()["epoch"]
    for _ in range(2):
        tidegate.upgrade()
        now, shut = tidegate.api.route(), tidegate.api.route("shut")
        assert now["weight"] == {"file": 10, "wanted": 100, "effective": 100} and now["mirror"]["percent"] == 5
        assert shut["latched"] and shut["weight"]["effective"] == 0 and "bad release" in shut["latch_reason"]
        client = lab.client(tidegate)
        assert [client.get("/all").text, client.get("/").text] == ["new", "old"]
        tidegate.api.weight(20, route="shut", expect=409)
    assert tidegate.api.weight(50).json["epoch"] > epoch
    assert [d["action"] for d in tidegate.api.history()] == ["weight", "revert", "mirror", "weight"]
    tidegate.kill()
    tidegate.start()
    assert tidegate.api.route()["weight"]["wanted"] == 50 and tidegate.api.route("shut")["latched"], "what it decided is durable"


def test_a_latch_of_the_gate_is_handed_on(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"gate": {"breaker": {"requests": 10, "for": "0s"}}})
    new.fail()
    with Load(tidegate.address, clients=2):
        eventually(lambda: tidegate.api.route()["latched"], "the revert", 20)
    tidegate.upgrade()
    now = tidegate.api.route()
    assert now["latched"] and now["weight"]["effective"] == 0 and "new failed " in now["latch_reason"]
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(30)} == {"old\n"}


def test_the_gates_windows_are_handed_on(lab):
    """Three failures before and three after: neither of them is enough."""
    new = lab.origin(serve(ok("x", "500 Oops")))
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, route=EVIDENCE)
    gate = lambda: tidegate.api.route()["gate"]
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(3)] == [500] * 3
    eventually(lambda: gate()["step"]["new"] == {"requests": 3, "failures": 3}, "the counts")
    stays(lambda: not tidegate.api.route()["latched"], "an open gate")
    evidence = gate()["statistics"]["s_new"]
    tidegate.upgrade()
    assert gate()["step"]["new"] == {"requests": 3, "failures": 3} and gate()["statistics"]["s_new"] == pytest.approx(evidence)
    client = lab.client(tidegate)
    for _ in range(3):
        client.get("/")
    now = eventually(lambda: (lambda r: r["latched"] and r)(tidegate.api.route()), "the revert")
    made = eventually(lambda: [d for d in decisions(tidegate) if d["action"] == "revert"], "the decision")[0]
    assert now["weight"]["effective"] == 0 and re.search(r"new failed [56] of [5-9] requests", made["reason"]), made["reason"]
    answer = tidegate.api.get(f"/api/v1/history/{made['epoch']}").json
    assert answer["replay"]["possible"] and answer["replay"]["same"], answer["replay"]


def test_what_the_new_one_decides_while_the_one_before_drains_stands(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, weight=0, drain=QUICK)
    client = lab.client(tidegate)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    before = tidegate.begin_upgrade()
    tidegate.api.weight(30)
    tidegate.api.post("revert", body={"reason": "by the new one"})
    first.go.set()
    assert client.read_response().text == first.whole
    assert before.wait(15) == 0
    now = tidegate.api.route()
    assert now["latched"] and "by the new one" in now["latch_reason"]
    assert [d["action"] for d in tidegate.api.history()] == ["revert", "weight"]


class Late:
    """Twelve requests of the process before, that will fail on new once they are released: enough for the breaker."""

    def __init__(self, lab, **route):
        self.new = Held(lab)
        self.new.late_status = "500 Oops"
        self.tidegate = lab.proxy(lab.origin(serve(ok("old"))), self.new, weight=100, drain={"timeout": HOUR},
                                  route={"gate": {"breaker": {"requests": 10, "for": "0s"}}, **route})
        self.clients = [lab.client(self.tidegate) for _ in range(12)]
        for client in self.clients:
            client.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: self.new.asked("/late") == 12, "all in flight")

    def upgrade(self):
        self.before = self.tidegate.begin_upgrade()

    def fail(self):
        self.new.go.set()
        assert [client.read_response().status for client in self.clients] == [500] * 12
        assert self.before.wait(20) == 0


def test_what_fails_in_the_one_before_reverts_in_the_new_one(lab):
    late = Late(lab)
    late.upgrade()
    late.fail()
    made = eventually(lambda: [d for d in decisions(late.tidegate) if d["action"] == "revert"], "the revert")[0]
    assert late.tidegate.api.route()["latched"]
    assert re.search(r"new failed 1[0-2] of ", made["reason"]), made["reason"]
    answer = late.tidegate.api.get(f"/api/v1/history/{made['epoch']}").json
    assert answer["replay"]["possible"] and answer["replay"]["same"], answer["replay"]


def test_what_fails_in_the_one_before_is_nothing_against_a_weight_that_was_set_since(lab):
    late = Late(lab)
    late.upgrade()
    late.tidegate.api.weight(50)
    late.fail()
    stays(lambda: not late.tidegate.api.route()["latched"], "an open gate", 1.0)
    assert late.tidegate.api.route()["gate"]["step"]["new"]["failures"] == 0


def test_what_fails_in_the_one_before_is_nothing_against_other_servers(lab):
    late, better = Late(lab), lab.origin(serve(ok("better")))
    late.tidegate.write_config(edited(late.tidegate, lambda config: config["clusters"]["new"].update(endpoints=[better.address])))
    late.upgrade()
    late.fail()
    stays(lambda: not late.tidegate.api.route()["latched"], "an open gate", 1.0)
    assert lab.client(late.tidegate).get("/").text == "better"


def test_the_one_before_follows_what_the_new_one_decides(lab):
    """Connections that are still its are asked for once more each, until it closes them."""
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))), weight=100)
    answered = 0
    for _ in range(5):
        tidegate.api.weight(100)
        clients = [lab.client(tidegate) for _ in range(8)]
        assert {client.get("/").text for client in clients} == {"new"}
        before = tidegate.begin_upgrade()
        tidegate.api.weight(0)
        texts = []
        for client in clients:
            with contextlib.suppress(OSError, EOFError):
                texts.append(client.get("/").text)
        assert set(texts) <= {"old"}, texts
        answered += len(texts)
        assert before.wait(20) == 0
    print(f"{answered} of 40 connections were asked for once more")


@pytest.mark.parametrize("touch", [False, True])
def test_a_change_that_leaves_the_step_alone_does_not_begin_it_anew_in_the_one_before(lab, touch):
    """After a change of the weight, that began one there."""
    new = Held(lab)
    new.late_status = "500 Oops"
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=50, drain={"timeout": HOUR},
                         route={"gate": {"breaker": {"requests": 5, "for": "0s"}}, "mirror": {"percent": 0}})
    clients = [lab.client(tidegate) for _ in range(16)]
    for client in clients:
        assert client.get("/").status == 200
    tidegate.begin_upgrade()
    tidegate.api.weight(100)
    for client in clients:
        client.try_send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: new.asked("/late") >= 10, "in flight in the one before")
    if touch:
        tidegate.api.mirror(5)
    new.go.set()
    eventually(lambda: tidegate.api.route()["latched"], "the revert")


@pytest.mark.parametrize("change", ["endpoint", "errors"])
def test_the_one_before_follows_a_revert_also_where_the_new_side_is_another_now(lab, change):
    new = Held(lab, "new")
    new.late_status = "503 Busy"
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, weight=100, drain={"timeout": HOUR},
                         route={"gate": {"on_fail": "notify"}, "retry": {"on": ["503"], "other_side": False}})
    client = lab.client(tidegate)
    client.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: new.asked("/late") == 1, "in flight")

    def edit(config):
        if change == "endpoint":
            config["clusters"]["new"]["endpoints"].append(f"127.0.0.1:{free_port()}")
        else:
            config["routes"][0]["gate"]["errors"] = ["5xx", "connect"]
    tidegate.write_config(edited(tidegate, edit))
    tidegate.begin_upgrade()
    tidegate.api.post("revert")
    new.go.set()
    assert client.read_response().text == "old" and new.asked("/late") == 1


def test_nothing_waits_for_a_process_before_that_stands_still(lab):
    """One answer does, for a moment; then nobody."""
    held = Held(lab)
    tidegate = lab.proxy(held, drain={"timeout": HOUR}, routes=[prefix(f"r{i}", f"/r{i}", weight=50) for i in range(50)] + [{"name": "all"}])
    client = lab.client(tidegate)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: held.asked("/held"), "in flight")
    before = tidegate.begin_upgrade()
    os.kill(before.pid, signal.SIGSTOP)
    try:
        for percent in range(1, 50):
            tidegate.api.weight(percent)
        assert tidegate.api.call("POST", "/api/v1/revert", {}).status == 200
        tidegate.logs("does not follow what is decided")
    finally:
        os.kill(before.pid, signal.SIGCONT)
    held.go.set()
    assert client.read_response().text == held.whole and before.wait(15) == 0


def endpoints_of(tidegate, cluster="old"):
    clusters = tidegate.api.get("/api/v1/clusters").json["clusters"]
    return next(one["endpoints"] for one in clusters if one["name"] == cluster)


def test_an_endpoint_that_is_left_out_stays_so_for_the_rest_of_its_time(lab):
    good, bad = lab.origin(serve(ok("good"))), lab.origin(serve(ok("bad", "500 Oops")))
    tidegate = lab.proxy(good, workers=2, route={"retry": {"retries": 0}}, clusters={
        "old": {"endpoints": [good.address, bad.address], "outlier": {"consecutive_errors": 3, "ejection": HOUR, "max_ejected": "50%"}},
        "new": {"endpoints": [good.address]}})
    client = lab.client(tidegate)
    eventually(lambda: client.get("/") and f"{bad.address} is left out for" in tidegate.output, "an ejection")
    before, asked = endpoints_of(tidegate), len(bad.requests)
    for _ in range(2):
        tidegate.upgrade()
        client = lab.client(tidegate)
        assert {client.get("/").text for _ in range(30)} == {"good"}
    assert len(bad.requests) == asked and endpoints_of(tidegate) == before


def test_an_endpoint_that_is_unhealthy_stays_so_until_it_is_found_healthy(lab):
    health, hangs = {"sick": "500 Oops"}, threading.Event()

    def answer(request):
        if request.target != "/healthz":
            return ok("sick")
        if health["sick"] == "hangs":
            hangs.wait(60)
        return ok("", health["sick"])
    good, sick = lab.origin(serve(ok("good"))), lab.origin(serve(answer), record=False)
    tidegate = lab.proxy(good, clusters={
        "old": {"endpoints": [good.address, sick.address],
                "health": {"path": "/healthz", "interval": "50ms", "timeout": "10s", "healthy": 1, "unhealthy": 1}},
        "new": {"endpoints": [good.address]}})
    tidegate.logs(f"{sick.address} is unhealthy: ")
    before = endpoints_of(tidegate)
    health["sick"] = "hangs"
    tidegate.upgrade()
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(30)} == {"good"} and endpoints_of(tidegate) == before
    health["sick"] = "200 OK"
    hangs.set()
    eventually(lambda: client.get("/").text == "sick", "it is healthy again")


def test_a_rollout_is_handed_on_in_its_step_with_its_plan(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), route={"rollout": plan({"weight": 10, "for": HOUR}, {"weight": 50, "for": HOUR})})
    ask(tidegate, "start", actor="ann")
    ask(tidegate, "promote", actor="ann")
    eventually(lambda: where(tidegate)["step_elapsed_s"] > 1, "a part of the step")
    before = where(tidegate)
    tidegate.upgrade()
    now = where(tidegate)
    assert all(now[key] == before[key] for key in ("state", "step", "steps", "started_at", "started_by", "weight_before"))
    assert route(tidegate)["weight"]["effective"] == 50
    assert now["step_elapsed_s"] >= before["step_elapsed_s"], "the step's clock goes on: it was watched all the time"
    ask(tidegate, "pause", reason="lunch")
    tidegate.upgrade()
    assert where(tidegate)["state"] == "paused" and where(tidegate)["pause"] == {"by": "person", "sentence": "lunch"}
    assert [action for action, _, _ in moves(tidegate)] == ["rollout_start", "rollout_promote", "rollout_pause"]


@pytest.mark.deadline(180)
def test_a_rollout_walks_through_upgrades_without_skipping_a_step_or_failing_a_request(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), route={"rollout": plan(10, 25, 50, 100)})
    with Load(tidegate.address, clients=3, pause=0.003, resend=True) as load:
        goes_on(load)
        ask(tidegate, "start")
        for _ in range(3):
            tidegate.upgrade()
            goes_on(load)
        reaches(tidegate, "completed", 4, 90)
    print(f"3 upgrades in a rollout: {load}")
    assert load.errors == 0
    assert moves(tidegate) == [("rollout_start", "0", "10"), ("step", "10", "25"), ("step", "25", "50"), ("step", "50", "100"),
                               ("rollout_completed", "100", "100")]
    epochs = [one["epoch"] for one in decisions(tidegate)]
    assert epochs == sorted(set(epochs))


def test_no_decision_is_lost_whenever_it_is_made(lab):
    """People set weights all the time: the last one that was answered with 200 is in force, and all of them are in the history."""
    tidegate = lab.proxy(lab.origin(tell_tag))
    api, over, taken, odd = tidegate.api, threading.Event(), [], []

    def people():
        turn = 0
        while not over.is_set():
            turn += 1
            percent = turn % 9000 / 100
            try:
                answer = api.weight(percent, expect=None)
            except OSError as error:
                odd.append(error)
                continue
            if answer.status == 200:
                taken.append(percent)
            elif answer.status not in (409, 503):
                odd.append(answer)
    setting = threading.Thread(target=people, daemon=True)
    setting.start()
    for _ in range(3):
        seen = len(taken)
        eventually(lambda: len(taken) >= seen + 20, "decisions")
        tidegate.upgrade()
    over.set()
    setting.join(20)
    assert not odd and tidegate.api.route()["weight"]["effective"] == taken[-1]
    answer = tidegate.api.get("/api/v1/history?limit=1000")
    made = [float(d["to"]) for d in reversed(answer.json["decisions"])]
    assert made == taken[-len(made):]
    print(f"{len(taken)} decisions over 3 upgrades")


def test_the_access_log_has_a_line_for_every_request_of_every_process(lab, tmp_path):
    log = tmp_path / "access.log"
    tidegate = lab.proxy(lab.origin(tell_tag), log={"access": {"path": str(log)}}, workers=2)
    sent = 0
    for _ in range(3):
        client = lab.client(tidegate)
        for _ in range(50):
            sent += 1
            assert client.get(f"/{sent}").status == 200
        tidegate.upgrade()

    def logged():
        return sorted(int(json.loads(line)["path"][1:]) for line in log.read_text().splitlines())
    eventually(lambda: len(logged()) >= sent, "all lines")
    assert logged() == list(range(1, sent + 1))


# --- when it cannot be done

def fails(lab, tidegate, *words, seconds=30, under_load=False):
    """SIGUSR2 is answered with "upgrade failed: ..." and these words, and all is as before. @return what was said"""
    first, fds, threads, seen = tidegate.pid, tidegate._fds(), tidegate.threads(), len(tidegate.lines)
    tidegate.signal(signal.SIGUSR2)
    said = lambda: "\n".join(tidegate.lines[seen:])
    eventually(lambda: re.search(r"upgrade failed: \S", said()), "the news", seconds)
    line = next(line for line in tidegate.lines[seen:] if "upgrade failed: " in line)
    assert all(word in said() for word in words), said()
    assert tidegate.process.poll() is None and tidegate.pid == first
    assert tidegate.api.get("/readyz").status == 200 and "draining" not in said()
    eventually(lambda: descendants(first) == [], "nothing is left of the other one")
    eventually(lambda: tidegate.threads().total() == threads.total(), "its threads are those of before")
    if not under_load:
        eventually(lambda: tidegate._fds() <= fds, "its descriptors are those of before")
    return line


def serves_as_before(lab, tidegate, kept):
    """It decides, reloads and can be upgraded, and a connection that was there is there."""
    answer = kept.get("/")
    assert (answer.text, answer.get("connection")) == ("one", None)
    assert lab.client(tidegate).get("/").text == "one"
    tidegate.api.weight(7)
    tidegate.reload(edited(tidegate, tag("two")))
    assert kept.get("/").text == "two"
    tidegate.upgrade()
    assert lab.client(tidegate).get("/").text == "two" and tidegate.api.route()["weight"]["wanted"] == 7


def upgradable(lab, program):
    tidegate = lab.proxy(lab.origin(tell_tag), lab.origin(tell_tag), route={"request_headers": {"set": {TAG: "one"}}}, metrics={"address": "127.0.0.1:0"},
                         process={"binary": program.path})
    kept = lab.client(tidegate)
    assert kept.get("/").text == "one"
    return tidegate, kept


def test_a_bad_configuration_fails_the_upgrade_and_says_where(lab, program):
    tidegate, kept = upgradable(lab, program)
    good = tidegate.config
    tidegate.write_config(edited(tidegate, lambda config: config["routes"][0].update(wieght=5)))
    for _ in range(2):
        fails(lab, tidegate, "routes[0].wieght")
    tidegate.write_config(good)
    serves_as_before(lab, tidegate, kept)


def test_an_address_that_is_in_use_fails_the_upgrade(lab, program):
    tidegate, kept = upgradable(lab, program)
    good, taken = tidegate.config, f"127.0.0.1:{free_port()}"
    lab.keep(listen_on(taken))
    tidegate.write_config(edited(tidegate, lambda config: config["listeners"].append({"name": "taken", "address": taken})))
    fails(lab, tidegate, taken)
    tidegate.write_config(good)
    serves_as_before(lab, tidegate, kept)


@pytest.mark.parametrize("what", ["missing", "not executable", "a folder"])
def test_a_program_that_cannot_be_started_fails_the_upgrade(lab, program, what):
    tidegate, kept = upgradable(lab, program)
    if what == "not executable":
        os.chmod(program.path, 0o644)
    else:
        os.unlink(program.path)
    if what == "a folder":
        os.mkdir(program.path)
    for _ in range(2):
        fails(lab, tidegate)
    if what == "a folder":
        os.rmdir(program.path)
    program.replace()
    serves_as_before(lab, tidegate, kept)


SCRIPTS = {
    "crashes": "kill -SEGV $$",
    "is killed": "kill -KILL $$",
    "ends with an error": "exit 3",
    "ends as if all were well": "exit 0",
    "is another program": "exec /bin/true",
    "has no interpreter": None,
}


@pytest.mark.parametrize("what", SCRIPTS)
def test_a_program_that_ends_before_it_is_ready_fails_the_upgrade(lab, program, what):
    tidegate, kept = upgradable(lab, program)
    if SCRIPTS[what] is None:
        with open(program.path + ".new", "w") as file:
            file.write("#!/nonexistent/interpreter\n")
        os.chmod(program.path + ".new", 0o755)
        os.rename(program.path + ".new", program.path)
    else:
        program.replace(SCRIPTS[what])
    for _ in range(2):
        fails(lab, tidegate)
    program.replace()
    serves_as_before(lab, tidegate, kept)


@pytest.mark.deadline(180)
def test_a_program_that_never_gets_ready_is_given_up_and_ended(lab, program, tmp_path):
    tidegate, kept = upgradable(lab, program)
    program.replace("echo $$ > {folder}/pid; exec sleep 1000")
    with Load(tidegate.address, clients=2, pause=0.01) as load:
        goes_on(load, requests=20)
        fails(lab, tidegate, seconds=120, under_load=True)
    assert load.errors == 0 and load.total > 10, load
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the other process gone")
    program.replace()
    serves_as_before(lab, tidegate, kept)


def test_a_new_process_that_fails_with_the_sockets_in_its_hands_leaves_them_and_the_decisions_alone(lab, program):
    tidegate, kept = upgradable(lab, program)
    tidegate.api.weight(33)
    program.replace('ulimit -n 10; exec {binary} "$@"')
    with Load(tidegate.address, clients=2, request=CLOSE) as load:
        for _ in range(5):
            fails(lab, tidegate, under_load=True)
        goes_on(load, requests=50)
    assert load.errors == 0, load
    assert tidegate.api.route()["weight"]["wanted"] == 33
    program.replace()
    serves_as_before(lab, tidegate, kept)


def test_sigusr2_while_one_is_being_upgraded_starts_no_third(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), drain={"timeout": "5s"})
    first = tidegate.pid
    with Load(tidegate.address, clients=2, resend=True) as load:
        goes_on(load)
        for _ in range(5):
            tidegate.signal(signal.SIGUSR2)
        before = tidegate.begin_upgrade()
        assert before.wait(20) == 0
        goes_on(load)
    assert load.errors == 0, load
    assert [int(match.group(1)) for match in in_line(tidegate, TAKES_OVER)] == [tidegate.pid]
    assert tidegate.pid != first and descendants(tidegate.pid) == []


def test_a_sigterm_ends_it_after_an_upgrade_that_failed(lab, program):
    tidegate, _ = upgradable(lab, program)
    os.unlink(program.path)
    fails(lab, tidegate)
    assert tidegate.terminate(20) == 0


def test_while_it_drains_for_good_no_upgrade_begins(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, drain=QUICK)
    client = lab.client(tidegate)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    tidegate.signal(signal.SIGTERM)
    tidegate.logs("draining")
    tidegate.signal(signal.SIGUSR2)
    stays(lambda: not in_line(tidegate, TAKES_OVER), "no other process", 1)
    first.go.set()
    assert client.read_response().text == first.whole
    assert tidegate.wait(20) == 0


# --- under load

@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


class AdminWatch(threading.Thread):
    """Asks the admin port again and again, a connection each: every connection is accepted and answered."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.api, self.over, self.total, self.failures = Api(address), threading.Event(), 0, []
        self.start()

    def run(self):
        while not self.over.wait(0.002):
            try:
                assert self.api.get("/healthz").status == 200
                assert self.api.route()["weight"]["wanted"] == 30
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
            self.total += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(30)

    def __repr__(self):
        return f"<admin asked {self.total} times, {len(self.failures)} failed, {self.failures[:3]}>"


@pytest.mark.deadline(240)
def test_no_request_fails_over_five_upgrades(lab):
    origins = [lab.nginx("old"), lab.nginx("new")]
    tidegate = lab.proxy(*origins, weight=30, workers=2, listener={"h2c": True}, drain=QUICK)
    tidegate.upgrade()
    fds, threads = tidegate._fds(), tidegate.threads()
    fresh = Load(tidegate.address, clients=6, request=CLOSE)
    kept = Load(tidegate.address, clients=2, resend=True)
    streams = Http2Load(tidegate.address, clients=2, streams=4)
    loads = [fresh, kept, streams]
    with WrkLoad(tidegate.url(), connections=8) as load, fresh, kept, streams, AdminWatch(tidegate.admin_address) as admin:
        goes_on(*loads)
        for _ in range(5):
            before, asked = tidegate.begin_upgrade(), admin.total
            goes_on(*loads)
            assert before.wait(40) == 0
            goes_on(*loads)
            eventually(lambda: tidegate.api.metric("http_requests_total", route="all") > 500, "everybody is here", 40)
            eventually(lambda: admin.total >= asked + 20, "the admin port asked")
        result = load.stop()
    print(f"5 upgrades: {result}, a connection each {fresh}, kept {kept}, {streams}, {admin}")
    assert fresh.errors == kept.errors == streams.errors == 0
    assert result.failed == 0 and admin.failures == []
    assert kept.connections >= 12 and streams.goaways >= 10, "everybody moved, five times"
    for origin in origins:
        origin.stop()
    tidegate.start_fds = fds        # as after the first upgrade
    tidegate.has_only_its_own_descriptors(20)
    assert tidegate.threads().total() == threads.total()


@pytest.mark.deadline(240)
def test_no_tls_connection_fails_over_five_upgrades(lab, pki):
    origin = lab.nginx("old")
    tidegate = lab.proxy(origin, workers=2, listener={"tls": {"certificates": [pki.issue().files()]}}, drain=QUICK)
    tidegate.upgrade()
    fds, threads = tidegate._fds(), tidegate.threads()
    fresh = Load(tidegate.address, clients=2, request=CLOSE, tls=pki.client())
    kept = Load(tidegate.address, clients=1, resend=True, tls=pki.client())
    streams = Http2Load(tidegate.address, clients=1, streams=4, tls=pki.client(alpn=["h2"]))
    with fresh, kept, streams:
        for _ in range(5):
            goes_on(fresh, kept, streams, requests=50)
            tidegate.upgrade(60)
        goes_on(fresh, kept, streams, requests=50)
    print(f"5 upgrades with TLS: a connection each {fresh}, kept {kept}, {streams}")
    assert fresh.errors == kept.errors == streams.errors == 0
    origin.stop()
    tidegate.start_fds = fds        # as after the first upgrade
    tidegate.has_only_its_own_descriptors(20)
    assert tidegate.threads().total() == threads.total()


@pytest.mark.deadline(120)
def test_no_connection_is_lost_when_the_number_of_workers_changes(lab):
    """What waits in the backlog of a socket that no worker has any more must be served all the same."""
    origin = lab.nginx("old")
    tidegate = lab.proxy(origin, workers=4)
    with Load(tidegate.address, clients=6, request=CLOSE) as load:
        for workers in (4, 1, 3, 2, 4, 4):
            goes_on(load)
            tidegate.write_config(edited(tidegate, lambda config: config.update(workers=workers)))
            tidegate.upgrade(40)
            assert sum(count for name, count in tidegate.threads().items() if name.startswith("worker-")) == workers
        goes_on(load)
    print(f"6 upgrades with other numbers of workers: {load}")
    assert load.errors == 0


@pytest.mark.deadline(180)
def test_upgrades_and_reloads_in_turn_fail_no_request(lab):
    n1, n2 = lab.nginx("n1"), lab.nginx("n2")
    tidegate = lab.proxy(n1, n2, weight=50, workers=2, drain=QUICK)
    with Load(tidegate.address, clients=3, resend=True) as kept, Load(tidegate.address, clients=2, request=CLOSE) as fresh:
        for turn in range(4):
            goes_on(kept, fresh)
            reload(tidegate, lambda config: config["clusters"]["old"].update(endpoints=[(n1, n2)[turn % 2].address]))
            before = tidegate.begin_upgrade(40)
            reload(tidegate, tag(f"turn-{turn}"))       # while the one before still drains
            assert before.wait(40) == 0
    print(f"4 upgrades and 8 reloads: kept {kept}, a connection each {fresh}")
    assert kept.errors == fresh.errors == 0


def test_a_connection_that_waits_in_the_backlog_is_served_by_the_new_one(lab):
    """Nobody accepts while it is stopped; whoever is accepted by either is served."""
    tidegate = lab.proxy(lab.origin(tell_tag), workers=2)
    with tidegate.stopped():
        waiting = [lab.client(tidegate) for _ in range(20)]
        for client in waiting:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        tidegate.signal(signal.SIGUSR2)
    before = tidegate.begin_upgrade(asked=True)
    assert [client.read_response().status for client in waiting] == [200] * 20
    assert before.wait(20) == 0


# --- what a review found

def test_an_upgrade_that_fails_with_the_socket_of_a_file_in_its_hands_leaves_the_file(lab, program, tmp_path):
    path = tmp_path / "front.sock"
    tidegate = lab.proxy(lab.origin(tell_tag), listener={"address": f"unix:{path}"}, route={"request_headers": {"set": {TAG: "one"}}},
                         process={"binary": program.path})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tidegate.replace_config({**tidegate.config, "admin": {"address": "127.0.0.1:%d" % taken.getsockname()[1]}})
        fails(lab, tidegate)
    assert path.exists() and lab.client(f"unix:{path}").get("/").text == "one"


def test_a_state_file_that_is_another_fails_the_upgrade_and_no_latch_is_forgotten(lab, program, tmp_path):
    tidegate, kept = upgradable(lab, program)
    assert tidegate.api.post("revert").status == 200
    tidegate.replace_config({**tidegate.config, "state": {"path": str(tmp_path / "another.db")}})
    fails(lab, tidegate, "state")
    assert tidegate.api.route()["latched"] and kept.get("/").text == "one"


@pytest.mark.parametrize("how", ["removed", "an_older_copy"])
def test_a_state_file_that_lacks_the_last_decision_fails_the_upgrade_and_no_latch_is_forgotten(lab, program, how):
    """Nothing is pending, so only the process that goes has it."""
    tidegate, kept = upgradable(lab, program)
    path = Path(tidegate.directory) / "tidegate.db"
    tidegate.api.weight(20)
    older = path.with_suffix(".copy")
    with sqlite3.connect(path) as source, sqlite3.connect(older) as copy:
        source.backup(copy)
    assert tidegate.api.post("revert").status == 200
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        file.unlink(missing_ok=True)
    if how != "removed":
        shutil.copy(older, path)
    fails(lab, tidegate, "does not have the last decision about route all")
    assert tidegate.api.route()["latched"] and kept.get("/").text == "one"


def test_a_drain_that_is_asked_for_while_the_new_one_is_being_started_is_one(lab, program):
    tidegate, kept = upgradable(lab, program)
    program.replace("exec sleep 60")
    tidegate.signal(signal.SIGUSR2)
    eventually(lambda: descendants(tidegate.pid) != [], "the new one")
    assert tidegate.cli("drain").returncode == 0
    assert tidegate.wait(20) == 0 and descendants(tidegate.pid) == []


def test_a_sigterm_while_the_new_one_is_being_started_is_a_drain_that_loses_nothing(lab, program):
    first = Held(lab)
    tidegate = lab.proxy(first, process={"binary": program.path})
    client = lab.client(tidegate)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.route()["in_flight"] == 1, "the request")
    program.replace("exec sleep 60")
    tidegate.signal(signal.SIGUSR2)
    eventually(lambda: descendants(tidegate.pid) != [], "the new one")
    tidegate.signal(signal.SIGTERM)
    eventually(lambda: "draining" in tidegate.output, "the drain", 20)
    first.go.set()
    assert client.read_response().status == 200
    assert tidegate.wait(20) == 0


def test_names_that_were_resolved_stay_so_when_dns_is_broken_meanwhile(lab):
    origin = lab.origin(tell_tag)
    host, port = origin.address.rsplit(":", 1)
    server = lab.name_server(a(host, 1))
    tidegate = lab.proxy(f"origin.test:{port}", dns={"servers": [server.address], "timeout": "200ms"})
    assert lab.client(tidegate).get("/").status == 200
    server.answers(code=SERVFAIL)
    for _ in range(2):
        tidegate.upgrade()
        assert lab.client(tidegate).get("/").status == 200
