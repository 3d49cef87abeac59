"""When a request is asked again, and what it costs: issue 6 point 3, PRODUCT §2 retry."""
from harness import eventually, ok, serve, stays
from harness.faults import never_connects

LONG = 20


def silent(connection):
    """Takes one request and never answers it."""
    connection.read_request()
    connection.wait_for_end(LONG)


def failures(tidegate, reason, cluster="new"):
    return tidegate.api.metric("tidegate_upstream_failures_total", cluster=cluster, reason=reason)


def only_new(retry, **more):
    """A route whose requests go to new and whose gate cannot revert."""
    return {"weight": 100, "route": {"gate": {"on_fail": "notify"}, "retry": retry, **more}}


# --- per_try_timeout

def test_an_attempt_that_is_over_its_time_is_made_again_on_the_other_side(lab):
    new = lab.origin(silent)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), new, **only_new({"on": ["timeout"], "per_try_timeout": "100ms"}))
    assert lab.client(tidegate).get("/").text == "old"
    assert new.connections[0].over.wait(5)
    assert failures(tidegate, "timeout") == 1 and tidegate.api.metric("tidegate_retries_rescued_total", side="old") == 1


def test_an_attempt_that_is_over_its_time_is_504_where_timeout_is_not_named(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(silent), **only_new({"per_try_timeout": "100ms"}))
    response = lab.client(tidegate).get("/")
    assert response.status == 504 and "timeout" in response.text
    assert failures(tidegate, "timeout") == 1 and tidegate.api.metric("tidegate_retries_total") == 0


def test_each_attempt_has_a_time_of_its_own_and_the_route_has_the_last_word(lab):
    origin = lab.origin(silent)
    tidegate = lab.proxy(origin, route={"retry": {"retries": 3, "on": ["timeout"], "other_side": False, "per_try_timeout": "60ms"}})
    assert lab.client(tidegate).get("/").status == 504
    assert len(origin.requests) == 4 and failures(tidegate, "timeout", "old") == 4
    origin = lab.origin(silent)
    tidegate = lab.proxy(origin, route={"timeout": "150ms", "retry": {"retries": 3, "on": ["timeout"], "other_side": False,
                                                                     "per_try_timeout": "100ms"}})
    assert lab.client(tidegate).get("/").status == 504
    assert len(origin.requests) == 2


def test_a_handshake_that_hangs_is_over_with_its_attempt(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), never_connects(lab.keep), new_cluster={"timeouts": {"connect": "20s"}},
                         **only_new({"on": ["timeout"], "per_try_timeout": "100ms"}))
    assert lab.client(tidegate).get("/").text == "old"
    assert failures(tidegate, "timeout") == 1


def test_a_response_that_has_begun_in_time_may_take_longer(lab):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwh")
        connection.over.wait(0.3)
        connection.send("ole")

    tidegate = lab.proxy(lab.origin(script), route={"retry": {"on": ["timeout"], "per_try_timeout": "50ms"}})
    assert lab.client(tidegate).get("/").text == "whole"


def test_what_a_client_takes_to_send_its_body_is_not_time_of_the_attempt(lab):
    origin = lab.origin(serve(lambda request: ok(request.body)))
    client = lab.client(lab.proxy(origin, route={"retry": {"per_try_timeout": "50ms"}}))
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
    eventually(lambda: origin.requests, "the head at the origin")
    stays(lambda: origin.open_connections() == 1, "the attempt", 0.2)
    client.send("dy")
    assert client.read_response("POST").text == "body"
