"""Metrics, the guide's own query, the access log: PRODUCT §5, issue 2 point 8."""
import json
import os
import re
import subprocess
import threading

import pytest

from harness import Load, eventually, memory_slack, ok, serve
from harness.ports import refusing_address

FIELDS = ("start_time method path protocol response_code response_flags bytes_received bytes_sent duration "
          "upstream_service_time x_forwarded_for user_agent request_id authority upstream_host upstream_cluster route_name "
          "downstream_remote_address side epoch reason mirrored trace_id").split()
QUERY = 'rate(http_requests_total{status=~"5.."}[5m])'      # as it stands in the migration guide


def test_the_series_are_there_at_0_before_the_first_request(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))), weight=10, route={"mirror": {"percent": 100}})
    metrics = tidegate.api.metrics()
    for side in ("old", "new"):
        for status in ("200", "500", "502", "503", "504", "499"):
            assert metrics["http_requests_total", frozenset({("route", "all"), ("side", side), ("method", "GET"), ("status", status)})] == 0
    names = {name for name, _ in metrics}
    for name in ("tidegate_weight_ratio", "tidegate_gate_verdict", "tidegate_gate_statistic", "tidegate_reverts_total",
                 "tidegate_mirror_requests_total", "tidegate_mirror_dropped_total", "tidegate_upstream_failures_total",
                 "tidegate_upstream_connections", "tidegate_retries_total", "tidegate_store_connected", "tidegate_build_info",
                 "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                 "http_request_duration_seconds_bucket", "http_request_duration_seconds_count"):
        assert name in names, name
    assert all(v == 0 for (name, _), v in metrics.items() if name in ("http_requests_total", "tidegate_reverts_total",
                                                                       "tidegate_mirror_requests_total"))
    assert tidegate.api.metric("tidegate_weight_ratio", kind="effective") == pytest.approx(0.1)


def test_promtool_finds_nothing_to_say(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), refusing_address(), weight=50, route={"mirror": {"percent": 100}})
    client = lab.client(tidegate)
    for i in range(50):
        client.get("/", method="BREW" if i % 7 == 0 else "GET")
    client.send("GET * HTTP/1.1\r\nHost: a\r\n\r\n")
    client.read_response()
    result = subprocess.run(["promtool", "check", "metrics"], input=tidegate.api.metrics_text(), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    assert (result.returncode, result.stdout.strip()) == (0, "")


def test_requests_are_counted_once_by_what_the_client_saw(lab):
    def answer(request):
        return ok("x", request.target[1:4] + " X")

    tidegate = lab.proxy(lab.origin(serve(answer)), lab.origin(serve(answer)), weight=50)
    client = lab.client(tidegate)
    for status, count in (("200", 20), ("404", 6), ("503", 4), ("201", 2)):
        for _ in range(count):
            client.get("/" + status)
    for status, count in (("200", 20), ("404", 6), ("503", 4), ("201", 2)):
        tidegate.api.counts(count, "http_requests_total", status=status, method="GET")
    tidegate.api.counts(32, "http_requests_total")
    tidegate.api.counts(32, "http_request_duration_seconds_count")
    tidegate.api.counts(16, "http_requests_total", side="new")


def test_a_request_that_a_retry_saved_is_a_success_and_a_failure_of_its_side(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), refusing_address(), weight=50)
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(10)] == [200] * 10
    tidegate.api.counts(10, "http_requests_total", status="200")
    assert tidegate.api.metric("http_requests_total") == 10
    assert tidegate.api.metric("tidegate_upstream_failures_total", cluster="new", reason="connect") == 5
    assert tidegate.api.metric("tidegate_retries_total", side="old") == 5


def test_odd_methods_and_names_never_break_the_exposition(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("old"))))
    client = lab.client(tidegate)
    for method in ("BREW", "X" * 32, "a", "!#$%&'*+.^_`|~"):
        assert client.get("/", method=method).status == 200
    methods = {dict(labels)["method"] for (name, labels) in tidegate.api.metrics() if name == "http_requests_total"}
    assert len(methods) <= 10, "clients must not make series"


def test_the_metrics_address_has_metrics_health_and_nothing_else(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), metrics={"address": "127.0.0.1:0"})
    from harness.tidegate import Api
    api = Api(tidegate.metrics_address)
    assert "http_requests_total" in api.metrics_text()
    assert api.get("/healthz").status == 200 and api.get("/readyz").status == 200
    assert api.get("/api/v1/status").status == 404 and api.weight(10, expect=None).status in (404, 405)


@pytest.mark.deadline(90)
def test_the_guides_own_query_answers_through_a_real_prometheus(lab):
    tidegate = lab.proxy(lab.nginx("old"), lab.nginx("new"), weight=20, route={"retry": {"retries": 0}},
                         metrics={"address": "127.0.0.1:0"})
    prometheus = lab.prometheus(tidegate.metrics_address)
    eventually(lambda: len(prometheus.query(QUERY)) > 0, "series at 0", 20, 0.3)
    assert all(value == 0 for _, value in prometheus.query(QUERY))
    client = lab.client(tidegate)
    assert [client.get("/status/503").status for _ in range(50)] == [503] * 50
    assert [client.get("/").status for _ in range(50)] == [200] * 50

    def seen():
        rates = {(m["side"], m["status"]): v for m, v in prometheus.query(QUERY) if v > 0}
        return rates if len(rates) == 2 else None

    rates = eventually(seen, "the errors in the rate", 20, 0.3)
    assert set(rates) == {("old", "503"), ("new", "503")} and rates["old", "503"] > 2 * rates["new", "503"]
    up = prometheus.query("up")
    assert [value for _, value in up] == [1]


# --- the access log

def logged(tidegate, count):
    lines = eventually(lambda: tidegate.stdout_lines if len(tidegate.stdout_lines) >= count else None, f"{count} lines", 10)
    return [json.loads(line) for line in lines]


def test_each_request_is_one_json_line_with_every_field(lab):
    old = lab.origin(serve(ok("hello")))
    tidegate = lab.proxy(old, lab.origin(serve(ok("new"))), weight=0, route={"mirror": {"percent": 100}},
                         log={"access": {"path": "stdout", "format": "json"}})
    client = lab.client(tidegate)
    client.get('/p?q="\\', host="shop.example", fields="User-Agent: a\tb\"c\\\xe9\r\nX-Request-Id: id-1\r\nX-Forwarded-For: 6.6.6.6\r\n")
    client.post(b"12345")
    first, second = logged(tidegate, 2)
    for line in (first, second):
        assert list(line) == FIELDS
    assert first["method"] == "GET" and first["protocol"] == "HTTP/1.1" and first["response_code"] == 200
    assert first["request_id"] == "id-1" and first["authority"] == "shop.example" and first["route_name"] == "all"
    assert (first["side"], first["upstream_cluster"], first["upstream_host"]) == ("old", "old", old.address)
    assert first["bytes_sent"] == 5 and first["mirrored"] is True and first["reason"] == "weight" and first["response_flags"] is None or first["response_flags"] == ""
    assert first["duration"] >= first["upstream_service_time"] >= 0 and re.fullmatch(r"[0-9a-f]{32}", first["trace_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["start_time"])
    assert first["downstream_remote_address"].startswith("127.0.0.1:")
    assert (second["method"], second["bytes_received"], second["mirrored"]) == ("POST", 5, False)


def test_failures_are_logged_with_their_flags(lab):
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()))
    tidegate = lab.proxy(refusing_address(), origin, weight=0, route={"retry": {"retries": 0}},
                         log={"access": {"path": "stdout"}}, new_cluster={"timeouts": {"response_header": "100ms"}})
    client = lab.client(tidegate)
    client.get("/refused")
    tidegate.api.weight(100)
    client.get("/timeout")
    client.send("GET /leaves HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: len(origin.requests) == 2, "the request")
    client.rst()
    bad = lab.client(tidegate)
    bad.send("NONSENSE\r\n\r\n")
    bad.read_response()
    lines = logged(tidegate, 4)
    by_path = {line["path"]: line for line in lines}
    assert (by_path["/refused"]["response_code"], by_path["/refused"]["response_flags"]) == (502, "UF")
    assert (by_path["/timeout"]["response_code"], by_path["/timeout"]["response_flags"]) == (504, "UT")
    assert (by_path["/leaves"]["response_code"], by_path["/leaves"]["response_flags"]) == (499, "DC")
    refused = next(line for line in lines if line["response_code"] == 400)
    assert refused["response_flags"] == "DPE" and refused["reason"]


def test_the_log_goes_to_a_file_and_off_means_off(lab, tmp_path):
    path = tmp_path / "access.log"
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), log={"access": {"path": str(path)}})
    client = lab.client(tidegate)
    for _ in range(100):
        client.get("/")
    eventually(lambda: path.exists() and path.read_text().count("\n") == 100, "100 lines")
    assert all(json.loads(line)["response_code"] == 200 for line in path.read_text().splitlines())
    quiet = lab.proxy(lab.origin(serve(ok("x"))))
    lab.client(quiet).get("/")
    assert quiet.stdout_lines == []


def test_a_sample_writes_its_share(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), log={"access": {"path": "stdout", "sample": "10%"}})
    client = lab.client(tidegate)
    for _ in range(1000):
        client.get("/")
    tidegate.terminate()
    assert 50 <= len(tidegate.stdout_lines) <= 160


def test_every_line_is_written_before_the_end(lab):
    tidegate = lab.proxy(lab.nginx("old"), log={"access": {"path": "stdout"}}, workers=2)
    with Load(tidegate.address, clients=4) as load:
        eventually(lambda: load.total > 2000, "traffic")
    tidegate.terminate()
    assert len(tidegate.stdout_lines) == load.total


@pytest.mark.parametrize("kind", ["full disk", "pipe that nobody reads", "closed pipe"])
def test_a_log_that_cannot_be_written_never_blocks_a_request(lab, kind):
    options = {}
    path = "stdout"
    if kind == "full disk":
        path = "/dev/full"
    else:
        reading, writing = os.pipe()
        options["stdout"] = writing
    tidegate = lab.proxy(lab.nginx("old"), log={"access": {"path": path}}, process=options)
    if kind != "full disk":
        os.close(writing)
        if kind == "closed pipe":
            os.close(reading)
    with Load(tidegate.address, clients=4, request=b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n") as load:
        eventually(lambda: load.total > 5000, "5000 requests", 30)
    assert load.errors == 0
    assert tidegate.api.metric("tidegate_access_log_dropped_total") > 0
    assert tidegate.rss_mib() < 100 * memory_slack()
    tidegate.terminate()
    if kind == "pipe that nobody reads":
        os.close(reading)


def test_the_log_of_the_process_to_a_pipe_that_nobody_reads_never_blocks_a_request(lab):
    """stderr itself: decisions are logged there."""
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))), weight=0)
    client = lab.client(tidegate)
    done = threading.Event()

    def change():
        for i in range(200):
            tidegate.api.weight(i % 100)
        done.set()

    threading.Thread(target=change, daemon=True).start()
    while not done.is_set():
        assert client.get("/").status == 200


@pytest.mark.parametrize("over", ["head", "grpc"])
def test_an_answer_of_tidegates_own_without_a_body_has_no_bytes_in_the_access_log(lab, over):
    path = lab.directory / "access.log"
    tidegate = lab.proxy(lab.origin(lambda c: c.read_request()), listener={"h2c": True}, log={"access": {"path": str(path)}},
                         route={"retry": {"retries": 0}})
    if over == "head":
        response = lab.client(tidegate).get("/", method="HEAD")
        assert response.status == 502 and response.body == b""
    else:
        response = lab.http2_client(tidegate).post(b"\0\0\0\0\0", headers=[("content-type", "application/grpc"), ("te", "trailers")])
        assert response.headers["grpc-status"] == "14"
    line = json.loads(eventually(lambda: os.path.exists(path) and path.read_text(), "the line"))
    assert line["bytes_sent"] == 0
