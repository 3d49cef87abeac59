"""What the tests of rollouts share: plans of seconds instead of minutes, where a rollout stands, and waiting for that."""
from .waiting import eventually

FAST = {"breaker": {"requests": 10, "for": "0s"}, "burst_tolerance": "0s"}      # a gate that reverts at once


def plan(*steps, **more):
    """`rollout:` of a route. A number is a weight for a second; with advance: time unless said otherwise."""
    return {"steps": [{"weight": step, "for": "1s"} if not isinstance(step, dict) else step for step in steps],
            "advance": "time", **more}


def ask(tidegate, verb, expect=200, fields=None, **body):
    answer = tidegate.api.call("POST", f"/api/v1/routes/all/rollout/{verb}", body, fields)
    assert expect is None or answer.status == expect, answer
    return answer


def refused(tidegate, verb, *words):
    """A conflict whose message has these words. @return the message."""
    error = ask(tidegate, verb, 409).json["error"]
    assert error["code"] == "conflict" and all(word in error["message"] for word in words), error
    return error["message"]


def route(tidegate):
    answer = tidegate.api.get("/api/v1/routes/all")
    assert answer.status == 200, answer
    return answer.json


def where(tidegate):
    return route(tidegate)["rollout"]


def weight(tidegate):
    return route(tidegate)["weight"]["effective"]


def reaches(tidegate, state, step=None, seconds=30):
    """Waits until the rollout is in this state (and step). @return the whole route, as it was then."""
    def there():
        now = route(tidegate)
        at = now["rollout"]
        assert at["state"] == state and step in (None, at["step"]), (at["state"], at["step"], at["waiting"], at["pause"],
                                                                    now["weight"], now["latch_reason"])
        return now
    return eventually(there, f"{state} in step {step}", seconds, 0.02)


def waits(tidegate, reason, *words, seconds=20):
    """Waits until a sentence of this reason with these words is among what the rollout waits for. @return it."""
    def said():
        at = where(tidegate)
        for one in at["waiting"]:
            if one["reason"] == reason and all(word in one["sentence"] for word in words):
                return one["sentence"]
        raise AssertionError((at["state"], at["step"], at["waiting"]))
    return eventually(said, f"waiting for {reason}: {words}", seconds, 0.02)


def moves(tidegate):
    """The decisions about the route, oldest first, as (action, from, to)."""
    return [(d["action"], d["from"], d["to"]) for d in decisions(tidegate)]


def decisions(tidegate):
    answer = tidegate.api.get("/api/v1/history?limit=1000")
    assert answer.status == 200, answer
    return [d for d in reversed(answer.json["decisions"]) if d["route"] == "all"]


def has_moves(tidegate, expected):
    """Waits until they are the history: a decision is in force a moment before it can be read there."""
    def same():
        assert moves(tidegate) == expected, moves(tidegate)
        return True
    eventually(same, "the history", 10, 0.05)
