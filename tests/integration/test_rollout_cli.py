"""`tidegate rollout` against a real server: what is said, and what a pipeline learns from the exit code. PRODUCT §4."""
import threading

from harness import Load, eventually
from harness.rollout import plan, reaches, weight
from harness.tidegate import run_cli

HOUR = "1h"
PACE = {"clients": 4, "pause": 0.003}


def staged(lab, *steps, **more):
    return lab.proxy(lab.nginx("old"), lab.nginx("new"), route={"rollout": plan(*steps, **more)})


def cli(tidegate, *arguments, timeout=60):
    return run_cli(*arguments, "--server", f"http://{tidegate.admin_address}", timeout=timeout)


class Waiting(threading.Thread):
    """`rollout status all --wait`, meanwhile."""

    def __init__(self, tidegate, *more):
        super().__init__(daemon=True)
        self.tidegate, self.more, self.result = tidegate, more, None
        self.start()

    def run(self):
        self.result = cli(self.tidegate, "rollout", "status", "all", "--wait", *self.more)

    def end(self):
        self.join(60)
        assert self.result is not None, "it still waits"
        return self.result


def test_a_pipeline_starts_it_waits_and_ends_with_0(lab):
    tidegate = staged(lab, 10, 100)
    with Load(tidegate.address, **PACE) as load:
        started = cli(tidegate, "rollout", "start", "all", "--reason", "ticket 4711", "--yes")
        assert started.returncode == 0 and "started" in started.stdout, started
        waited = Waiting(tidegate).end()
        assert waited.returncode == 0, waited
        assert "step 1 of 2" in waited.stdout and "completed" in waited.stdout, waited.stdout
    assert load.errors == 0 and weight(tidegate) == 100
    history = cli(tidegate, "history", "all")
    assert "ticket 4711" in history.stdout and "rollout_completed" in history.stdout
    assert "rollout completed" in cli(tidegate, "status", "all").stdout


def test_a_revert_ends_it_with_10_and_an_abort_with_11(lab):
    tidegate = staged(lab, {"weight": 10, "for": HOUR})
    cli(tidegate, "rollout", "start", "all", "--yes")
    waiting = Waiting(tidegate)
    assert cli(tidegate, "revert", "all").returncode == 0
    assert waiting.end().returncode == 10
    assert cli(tidegate, "rollout", "status", "all").returncode == 10
    refused = cli(tidegate, "rollout", "retry", "all")
    assert refused.returncode == 5 and "tidegate rearm all" in refused.stderr, refused
    assert cli(tidegate, "rearm", "all").returncode == 0
    assert cli(tidegate, "rollout", "retry", "all", "--yes").returncode == 0
    waiting = Waiting(tidegate)
    assert cli(tidegate, "rollout", "abort", "all").returncode == 0
    assert waiting.end().returncode == 11
    assert weight(tidegate) == 0


def test_a_pause_ends_waiting_with_12_and_the_time_with_124_or_12_for_want_of_evidence(lab):
    tidegate = staged(lab, {"weight": 10, "for": "2s"}, {"pause": {}}, {"weight": 50, "for": HOUR})
    cli(tidegate, "rollout", "start", "all", "--yes")
    held = cli(tidegate, "rollout", "status", "all", "--wait", "--timeout", "4s")
    assert held.returncode == 12, "its time is over, and it had no request"
    with Load(tidegate.address, **PACE):
        assert Waiting(tidegate).end().returncode == 12
        reaches(tidegate, "paused", 2)
        assert cli(tidegate, "rollout", "resume", "all").returncode == 0
        reaches(tidegate, "running", 3)
        assert cli(tidegate, "rollout", "status", "all", "--wait", "--timeout", "1s").returncode == 124


def test_watch_prints_plain_lines_where_there_is_no_terminal_and_ends_with_it(lab):
    tidegate = staged(lab, 10, 100)
    with Load(tidegate.address, **PACE):
        watching = []
        thread = threading.Thread(target=lambda: watching.append(cli(tidegate, "rollout", "watch", "all")), daemon=True)
        thread.start()
        cli(tidegate, "rollout", "start", "all", "--yes")
        reaches(tidegate, "completed")
        eventually(lambda: watching, "the end of watch", 30)
    assert watching[0].returncode == 0 and "\x1b" not in watching[0].stdout
    assert "step 2 of 2" in watching[0].stdout and "completed" in watching[0].stdout
