"""Waiting for a condition, with a deadline. The only place that sleeps."""
import time


class TooLate(AssertionError):
    pass


def eventually(condition, what="the condition", seconds=10.0, interval=0.01):
    """Polls until condition() is true and returns its value. An AssertionError inside counts as "not yet"."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise TooLate(f"{what} did not happen within {seconds} s; last seen: {last!r}")
        time.sleep(interval)


def stays(condition, what="the condition", seconds=0.3, interval=0.02):
    """The condition holds for all of the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"{what} did not last"
        time.sleep(interval)
