"""Fixtures: `lab` for one test, `shared` for the tests of a file that may use the same Tidegate. Each test has a deadline."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import Lab, memory_slack  # noqa: E402

DEADLINE = 60
MOST_CASES = 3      # of one test with the thread sanitizer


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    try:
        yield lab
        lab.finish()
    finally:
        lab.abandon()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("shared"))
    try:
        yield lab
        lab.finish()
    finally:
        lab.abandon()


@pytest.hookimpl(trylast=True)      # after -m and -k: a case that is asked for by its name is run
def pytest_collection_modifyitems(config, items):
    """Tests `as_released` are not skipped under a sanitizer but left out: there is nothing that they could show. So are most cases of a test
    that has many, with the thread sanitizer."""
    left_out = {item for item in items if item.get_closest_marker("as_released") and memory_slack() > 1}
    if os.environ.get("TIDEGATE_FLAVOUR") == "tsan":
        left_out |= cases_between(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def cases_between(items):
    """Of each test with more than MOST_CASES cases, all but its first and its last: they differ in bytes and names, while the same threads meet
    in the same places. Where there are several parameters, the first and the last case differ in each. The other flavours run them all."""
    cases = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return {item for of_one in cases.values() if len(of_one) > MOST_CASES for item in of_one[1:-1]}


class DeadlineOver(BaseException):
    """Not an Exception: nothing in a test catches it by accident."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    mark = item.get_closest_marker("deadline")
    seconds = mark.args[0] if mark else DEADLINE

    def over(*_):
        raise DeadlineOver(f"the test did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
