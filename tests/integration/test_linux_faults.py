"""What the machine can do to the program: clock, disk, files, stopped processes, closed descriptors. Each with its outcome; the table is in
tests/FAULTS.md. Issue 6, RELIABILITY.md O16 to O18."""
import contextlib
import datetime
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import Client, Load, eventually, make_config, ok, serve, stays
from harness.ports import free_port
from harness.rollout import ask, plan, reaches, where
from harness.tidegate import Api, find_binary

PACE = {"clients": 4, "pause": 0.005}


@pytest.fixture
def sides(lab):
    return lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))


def restart(tidegate):
    tidegate.start()
    return tidegate.api.route()


# --- the wall clock

class Clock:
    """The wall clock of one program, by libfaketime; its monotonic clock stays the machine's."""

    def __init__(self, directory):
        self._file = directory / "clock"
        self.set("+0")
        self.env = {"LD_PRELOAD": self._library(), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}

    @staticmethod
    def _library():
        files = subprocess.run(["dpkg", "-L", "libfaketime"], capture_output=True, text=True, check=True).stdout
        return next(line for line in files.splitlines() if line.endswith("libfaketimeMT.so.1"))

    def set(self, offset):
        """For whoever reads it from now on."""
        beside = self._file.with_suffix(".new")
        beside.write_text(offset + "\n")
        beside.rename(self._file)


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


def days_off(tidegate):
    """How far from the true time the newest line of the access log is."""
    if not tidegate.stdout_lines:
        return 0
    at = datetime.datetime.fromisoformat(json.loads(tidegate.stdout_lines[-1])["start_time"].replace("Z", "+00:00"))
    return (at - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400


@pytest.mark.as_released
@pytest.mark.parametrize("jump, days", [("+30d", 30), ("-1d", -1), ("+3650d", 3650), ("-7300d", -7300)])
def test_a_clock_that_is_set_moves_no_deadline_no_step_and_no_gate(lab, clock, jump, days):
    """What is on its way is answered, idle connections stay, a step of an hour stays; only the log tells of another time."""
    go, held = threading.Event(), []
    origin = lab.origin(serve(lambda r: ok("now") if r.target == "/" else held.append(r) or go.wait(30) and ok("late")))
    tidegate = lab.proxy(origin, origin, route={"rollout": plan({"weight": 50, "for": "1h"}, 100), "timeout": "1h"},
                         log={"access": {"path": "stdout"}}, process={"env": clock.env})
    ask(tidegate, "start")
    reaches(tidegate, "running", 1)
    idle, waiting = lab.client(tidegate), lab.client(tidegate)
    assert idle.get("/").status == 200
    waiting.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: held, "the request at the origin")
    clock.set(jump)
    eventually(lambda: idle.get("/").status == 200 and abs(days_off(tidegate) - days) < 0.5, f"the log {days} days off", 20)
    for _ in range(50):
        assert idle.get("/").status == 200
    looked = tidegate.api.route()["gate"]["step"]["seconds"]
    now = eventually(lambda: (lambda r: r["gate"]["step"]["seconds"] > looked and r)(tidegate.api.route()), "the gate looks on")
    assert now["gate"]["step"]["seconds"] < 60 and not now["latched"]
    assert (where(tidegate)["state"], where(tidegate)["step"], now["weight"]["effective"]) == ("running", 1, 50)
    go.set()
    assert waiting.read_response().text == "late"
    clock.set("+0")
    assert idle.get("/").status == 200 and waiting.get("/").status == 200


@pytest.mark.as_released
def test_a_state_that_was_written_in_the_future_is_taken_and_decisions_go_on_from_it(lab, sides, clock):
    clock.set("+400d")
    tidegate = lab.proxy(*sides, weight=10, process={"env": clock.env})
    tidegate.api.weight(70)
    tidegate.kill()
    clock.set("-400d")
    assert restart(tidegate)["weight"]["effective"] == 70
    tidegate.api.post("revert")
    tidegate.kill()
    clock.set("+0")
    assert restart(tidegate)["latched"]
    assert [d["action"] for d in tidegate.api.history()][:2] == ["revert", "weight"], "the order is that of the epochs"


# --- the disk

class OwnDisk:
    """A program whose folder `disk` is a disk of 512 KiB that nobody else has, in a namespace of mounts."""

    def __init__(self, directory, then=""):
        self._folder = directory / "disk"
        self._folder.mkdir()
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        if subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", self._folder], capture_output=True).returncode != 0:
            pytest.skip("this machine allows no namespace of mounts")
        self.wrapper = [*unshare, "sh", "-c", f'mount -t tmpfs -o size=512k none "{self._folder}"{then} && exec "$@"', "sh"]
        self.state = str(self._folder / "tidegate.db")
        self.log = str(self._folder / "access.log")

    def seen_by(self, tidegate):
        return f"/proc/{tidegate.pid}/root{self._folder}"

    def fill(self, tidegate):
        with contextlib.suppress(OSError), open(self.seen_by(tidegate) + "/filler", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def free(self, tidegate):
        os.unlink(self.seen_by(tidegate) + "/filler")


def test_a_full_disk_costs_no_request_and_no_revert_and_is_told(lab, sides, tmp_path):
    """State and access log are on it."""
    disk = OwnDisk(tmp_path)
    tidegate = lab.proxy(*sides, weight=50, state={"path": disk.state}, log={"access": {"path": disk.log}},
                         process={"wrapper": disk.wrapper})
    tidegate.api.weight(40)
    disk.fill(tidegate)
    with Load(tidegate.address, **PACE, request=b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n") as load:
        eventually(lambda: tidegate.api.metric("tidegate_access_log_dropped_total") > 0, "lines of the log that are lost", 20)
        refused = tidegate.api.weight(60, expect=503)
        assert refused.json["error"]["code"] == "store_failed" and tidegate.api.route()["weight"]["effective"] == 40
        reverted = tidegate.api.post("revert")
        assert reverted.json["durable"] is False and tidegate.api.route()["latched"]
        assert tidegate.api.metric("tidegate_store_connected") == 0
    assert load.errors == 0 and load.total > 10
    disk.free(tidegate)
    eventually(lambda: tidegate.api.status()["store"]["pending"] == 0, "the revert on the disk", 30, 0.1)
    size = os.path.getsize(disk.seen_by(tidegate) + "/access.log")
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").status == 200 and os.path.getsize(disk.seen_by(tidegate) + "/access.log") > size,
               "lines of the log again", 20)


def test_a_folder_of_the_state_that_cannot_be_written_is_a_clear_error_at_start(lab, sides, tmp_path):
    disk = OwnDisk(tmp_path, f' && mount -o remount,ro "{tmp_path}/disk"')
    tidegate = lab.tidegate({**make_config(sides[0]), "state": {"path": disk.state}}, wrapper=disk.wrapper, ready=False)
    assert tidegate.wait(15) == 78 and disk.state in tidegate.output


def test_a_folder_of_the_state_that_becomes_read_only_harms_nothing_that_is_open(lab, sides):
    """The files are open; new ones are not needed."""
    as_anybody = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    tidegate = lab.proxy(*sides, weight=10, process={"wrapper": as_anybody})
    tidegate.api.weight(20)
    os.chmod(tidegate.directory, 0o555)
    try:
        made = subprocess.run([*as_anybody, "touch", os.path.join(tidegate.directory, "new")], capture_output=True)
        assert made.returncode != 0, "nobody may make a file there now"
        assert tidegate.api.weight(30).json["durable"] is True
        assert tidegate.api.post("revert").json["durable"] is True
        tidegate.kill()
    finally:
        os.chmod(tidegate.directory, 0o755)
    assert restart(tidegate)["latched"]


@pytest.mark.parametrize("what", [["tidegate.db"], ["tidegate.db", "tidegate.db-wal", "tidegate.db-shm"], ["tidegate.db-wal"]],
                         ids=["the file", "all of it", "its journal"])
def test_a_revert_whose_state_file_was_deleted_is_never_told_to_be_durable_and_then_lost(lab, sides, what):
    """In force it is in any case. Told durable, it has to be there after a restart."""
    tidegate = lab.proxy(*sides, weight=50)
    tidegate.api.weight(40)
    for name in what:
        os.unlink(os.path.join(tidegate.directory, name))
    with Load(tidegate.address, **PACE) as load:
        told = tidegate.api.post("revert").json["durable"]
        assert tidegate.api.route()["weight"]["effective"] == 0
        eventually(lambda: load.total > 100, "requests")
    assert load.errors == 0
    tidegate.kill()
    assert restart(tidegate)["latched"] or not told, "it said durable, and after the restart new has its weight again"


# --- an upstream that is stopped

def test_an_upstream_that_is_stopped_times_out_as_configured_and_the_other_side_goes_on(lab):
    """SIGSTOP: its kernel still accepts, nobody answers."""
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"retry": {"retries": 0}, "gate": {"on_fail": "notify"}},
                         new_cluster={"timeouts": {"response_header": "300ms"}})
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").get("x-side") == "new", "both are used")
    new.freeze()
    answers = [client.get("/") for _ in range(10)]
    late = sum(a.status == 504 for a in answers)
    assert 3 <= late <= 7 and {a.get("x-side") for a in answers if a.status == 200} == {"old"}
    assert tidegate.api.metric("tidegate_upstream_failures_total", cluster="new", reason="timeout") == late
    new.freeze(False)
    assert [client.get("/").status for _ in range(20)] == [200] * 20


def test_an_upstream_that_is_stopped_is_reverted_by_its_timeouts(lab):
    old, new = lab.nginx("old"), lab.nginx("new")
    tidegate = lab.proxy(old, new, weight=50, route={"gate": {"breaker": {"requests": 10, "for": "0s"}}},
                         new_cluster={"timeouts": {"response_header": "300ms"}})
    new.freeze()
    with Load(tidegate.address, clients=8, pause=0.005) as load:
        eventually(lambda: tidegate.api.route()["latched"], "the revert", 30)
        eventually(lambda: tidegate.api.route()["in_flight"] <= 8, "what was on its way")
    assert load.statuses[504] >= 10 and set(load.statuses) == {200, 504} and load.cut == 0
    client = lab.client(tidegate)
    assert {client.get("/").get("x-side") for _ in range(20)} == {"old"}
    new.freeze(False)


def test_a_stopped_tidegate_goes_on_where_it_was(lab):
    """Stopped itself, by a debugger, a hypervisor or a cgroup: connections and decisions are there afterwards."""
    go = threading.Event()
    old = lab.origin(serve(lambda r: ok("old") if r.target == "/" else go.wait(30) and ok("held")))
    tidegate = lab.proxy(old, old, weight=30)
    client, held = lab.client(tidegate), lab.client(tidegate)
    assert client.get("/").status == 200
    held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: tidegate.api.metric("tidegate_http_requests_in_flight") == 1, "a request on its way")
    tidegate.signal(signal.SIGSTOP)
    began = time.monotonic()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    go.set()
    stays(lambda: not client._source.buffer, "no answer while it is stopped", 1.0)
    tidegate.signal(signal.SIGCONT)
    assert client.read_response().status == 200 and held.read_response().text == "held"
    assert time.monotonic() - began >= 1.0 and not tidegate.api.route()["latched"]


# --- what it writes to

class Blind:
    """A Tidegate whose standard error is not ours to read."""

    def __init__(self, directory, config, redirection, **descriptors):
        config["listeners"][0]["address"] = f"127.0.0.1:{free_port()}"
        config["admin"]["address"] = f"127.0.0.1:{free_port()}"
        config["state"] = {"path": str(directory / "tidegate.db")}
        path = directory / "tidegate.yaml"
        path.write_text(json.dumps(config))
        self.address, self.api = config["listeners"][0]["address"], Api(config["admin"]["address"])
        self.process = subprocess.Popen(["sh", "-c", f'exec "$0" "$@" {redirection}', find_binary(), "run", "--config", str(path)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True, **descriptors)

        def serving():
            assert self.process.poll() is None, self.process.returncode
            try:
                return self.api.status()
            except OSError:
                return None

        eventually(serving, "the admin API", 15)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            assert self.process.wait(20) == 0
        finally:
            if self.process.poll() is None:
                self.process.kill()


def goes_on(blind):
    """Requests and decisions, each of which is a line of the log."""
    with Client(blind.address) as client:
        for percent in range(1, 30):
            blind.api.weight(percent)
            assert client.get("/").status == 200
    blind.api.post("revert")
    assert blind.api.route()["latched"]


@pytest.mark.parametrize("kind", ["a pipe without a reader", "a full disk", "closed"])
def test_a_standard_error_that_takes_nothing_costs_no_request_and_no_decision(lab, sides, tmp_path, kind):
    if kind == "a pipe without a reader":
        reading, writing = os.pipe()
        os.close(reading)
        blind = lab.keep(Blind(tmp_path, make_config(*sides), "", stderr=writing))
        os.close(writing)
    else:
        blind = lab.keep(Blind(tmp_path, make_config(*sides), "2>/dev/full" if kind == "a full disk" else "2>&-"))
    goes_on(blind)


def test_with_standard_error_closed_the_log_is_not_written_into_a_file_that_has_got_its_number(lab, sides, tmp_path):
    blind = lab.keep(Blind(tmp_path, make_config(*sides), "2>&-"))
    goes_on(blind)
    taken = os.readlink(f"/proc/{blind.process.pid}/fd/2")
    for path in tmp_path.iterdir():
        if path.name.startswith("tidegate.db"):
            assert b"ready" not in path.read_bytes(), f"the log is in {path.name}; descriptor 2 is {taken}"
