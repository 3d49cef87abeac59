"""The verbs and their exit codes: PRODUCT §4, issue 2 points 8 and 9."""
import json
import os
import re
import signal
import socket

import pytest

from harness import Authority, Identity, ok, serve
from harness.ports import refusing_address
from harness.tidegate import ROOT, run_cli

pytestmark = pytest.mark.one_worker

GOOD = """\
listeners:
  - address: 127.0.0.1:0
clusters:
  old: {endpoints: ["127.0.0.1:9001"]}
  new: {endpoints: ["127.0.0.1:9002"]}
routes:
  - name: all
    weight: 10
admin:
  address: 127.0.0.1:0
"""


@pytest.fixture
def proxy(lab):
    return lab.proxy(lab.origin(serve(ok("old"))), lab.origin(serve(ok("new"))), weight=10)


def written(tmp_path, text):
    path = tmp_path / "tidegate.yaml"
    path.write_text(text)
    return str(path)


# --- validate

def test_a_good_file_is_0_and_nothing_is_printed(tmp_path):
    result = run_cli("validate", "--config", written(tmp_path, GOOD))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["minimal.yaml", "rollout.yaml", "full.yaml"])
def test_the_samples_are_good(name, tmp_path):
    authority = Authority(tmp_path / "tls")
    os.link(authority.ca, tmp_path / "tls/clients.pem")
    for stem in ("api", "client"):
        made = authority.issue(stem=tmp_path / "tls" / stem)
    authority.ocsp(Identity(tmp_path / "tls/api"))
    assert made.cert == str(tmp_path / "tls/client.crt")
    (tmp_path / "admin.token").write_text("secret\n")
    path = os.path.join(ROOT, "config", name)
    env = {"TLS_FOLDER": str(tmp_path / "tls"), "CONFIGURATION_DIRECTORY": str(tmp_path), "STATE_DIRECTORY": str(tmp_path)}
    result = run_cli("validate", "--strict", "--config", path, env=env)
    assert result.returncode in (0, 3), result.stderr
    assert run_cli("validate", "--config", path, env=env).returncode == 0


def test_the_examples_of_the_readme_are_good(tmp_path):
    authority = Authority(tmp_path / "tls")
    authority.issue(stem=tmp_path / "tls/api")
    with open(os.path.join(ROOT, "README.md")) as file:
        examples = re.findall(r"```yaml\n(.*?)```", file.read(), re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        result = run_cli("validate", "--strict", "--config", written(tmp_path, example.replace("/etc/tidegate", str(tmp_path))))
        assert (result.returncode, result.stderr) == (0, ""), example


@pytest.mark.parametrize("more, problem", [
    ("admin: {token_file: none}", "6:21: admin.token_file: none: cannot be read"),
    ("state: {path: none/tidegate.db}", "6:15: state.path: none/tidegate.db: the folder none does not exist"),
    ("log: {access: {path: none/access.log}}", "6:22: log.access.path: none/access.log: the folder none does not exist"),
    ("checks: {c: {webhook: {url: 'https://h', tls: {ca: none}}}}", "6:52: checks.c.webhook.tls.ca: none: cannot be read"),
    ("notify: [{webhook: {url: 'https://h', tls: {ca: none}}}]", "6:49: notify[0].webhook.tls.ca: none: cannot be read"),
])
def test_what_run_could_not_read_or_write_is_told_by_validate_and_run_alike(tmp_path, more, problem):
    lines = ["listeners: [{address: '127.0.0.1:0'}]", "clusters:", "  old: {endpoints: ['127.0.0.1:1']}",
             "  new: {endpoints: ['127.0.0.1:2']}", "routes: [{name: all}]", more]
    path = written(tmp_path, "\n".join(lines) + "\n")
    told = run_cli("validate", "--config", path, cwd=tmp_path)
    assert told.returncode == 1 and told.stderr.startswith(f"{path}:{problem}"), told.stderr
    assert told.stderr.count("\n") == 1 and os.listdir(tmp_path) == ["tidegate.yaml"]
    ran = run_cli("run", "--config", path, cwd=tmp_path)
    assert ran.returncode == 78 and f"{path}:{problem}" in ran.stderr
    assert os.listdir(tmp_path) == ["tidegate.yaml"]


def test_every_problem_is_told_at_once_with_line_column_path_and_a_suggestion(tmp_path):
    bad = GOOD.replace("weight: 10", "wieght: 10\n    timeout: 5 parsecs\n    old: odl\n    retry: {retries: 99}").replace(
        'new: {endpoints: ["127.0.0.1:9002"]}', 'new: {endpoints: []}\n  new: {endpoints: ["127.0.0.1:1"]}')
    path = written(tmp_path, bad)
    result = run_cli("validate", "--config", path)
    text = result.stdout + result.stderr
    assert result.returncode == 1
    problems = [line for line in text.splitlines() if line.startswith(path + ":")]
    assert all(re.match(re.escape(path) + r":\d+:\d+: ", line) for line in problems) and len(problems) >= 6, text
    assert re.search(r":9:5: routes\[0\]\.wieght: .*weight", text), text
    for path_of in ("routes[0].timeout", "routes[0].old", "routes[0].retry.retries", "clusters.new"):
        assert path_of in text, text
    assert "old" in next(line for line in problems if "routes[0].old" in line), "a suggestion"


def test_warnings_are_0_and_3_with_strict(tmp_path):
    path = written(tmp_path, GOOD.replace("    weight: 10\n", "    weight: 10\n    match: {methods: [get]}\n"))
    assert run_cli("validate", "--config", path).returncode == 0
    strict = run_cli("validate", "--strict", "--config", path)
    assert strict.returncode == 3 and "GET" in strict.stdout + strict.stderr


@pytest.mark.parametrize("text", ["", "a: [", "\tx: 1", "- 1", "&a [*a]", "\xff\xfe", "listeners: {", GOOD + GOOD, "null"])
def test_a_file_that_is_no_configuration_is_1(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_bytes(text.encode("latin1"))
    result = run_cli("validate", "--config", str(path))
    assert result.returncode == 1 and str(path) in result.stdout + result.stderr


def test_a_missing_file_is_1_and_named(tmp_path):
    result = run_cli("validate", "--config", str(tmp_path / "none.yaml"))
    assert result.returncode == 1 and "none.yaml" in result.stderr


def test_environment_variables_are_expanded(tmp_path):
    path = written(tmp_path, GOOD.replace("weight: 10", "weight: ${TG_WEIGHT:-10}"))
    assert run_cli("validate", "--config", path).returncode == 0
    assert run_cli("validate", "--config", path, env={"TG_WEIGHT": "101"}).returncode == 1


# --- usage

@pytest.mark.parametrize("arguments", [
    ["frobnicate"], [], ["weight"], ["weight", "all"], ["weight", "all", "ten"], ["weight", "all", "101"],
    ["rollout"], ["rollout", "start"], ["rollout", "strat", "all"], ["rollout", "start", "all", "--wait"], ["rollout", "watch", "all", "-o", "json"],
    ["weight", "all", "10", "20"], ["status", "--nope"], ["-o", "xml", "status"], ["revert"], ["rearm"], ["run"], ["validate"],
    ["--server", "not a url", "status"], ["--timeout", "5 parsecs", "status"]])
def test_wrong_usage_is_2_and_says_what(arguments):
    result = run_cli(*arguments)
    assert result.returncode == 2 and result.stderr.strip(), result


def test_a_near_verb_is_suggested():
    assert "status" in run_cli("statsu").stderr


def test_a_near_action_of_a_rollout_is_suggested():
    assert 'did you mean "promote"' in run_cli("rollout", "promot", "all").stderr


def test_help_is_0_and_on_stdout():
    for arguments in (["--help"], ["help"], ["weight", "--help"]):
        result = run_cli(*arguments)
        if arguments == ["help"] and result.returncode == 2:
            continue
        assert result.returncode == 0 and "tidegate" in result.stdout and result.stderr == ""
    text = run_cli("--help").stdout
    for verb in "run validate status weight mirror revert rearm rollout history demo version".split():
        assert re.search(rf"\b{verb}\b", text), verb


def test_version_as_text_and_json():
    result = run_cli("version")
    assert result.returncode == 0 and re.fullmatch(r"tidegate \d+\.\d+\.\d+\S*\n", result.stdout.split("\n")[0] + "\n")
    assert re.match(r"\d+\.\d+\.\d+", json.loads(run_cli("version", "-o", "json").stdout)["version"])


# --- the server

@pytest.mark.parametrize("arguments", [
    ["status"], ["weight", "all", "10"], ["revert", "all"], ["history"], ["reload"], ["rollout", "start", "all"], ["rollout", "status", "all"],
    ["rollout", "status", "all", "--wait"], ["rollout", "watch", "all"]])
def test_an_unreachable_server_is_4(arguments):
    address = f"http://{refusing_address()}"
    result = run_cli("--server", address, *arguments)
    assert result.returncode == 4 and address.split("//")[1] in result.stderr


def test_a_server_that_never_answers_is_124(lab):
    silent = lab.origin(lambda c: c.wait_for_end(30))
    result = run_cli("--server", f"http://{silent.address}", "--timeout", "500ms", "status")
    assert result.returncode == 124 and result.stderr.strip()


def test_a_server_that_is_something_else_is_1_not_a_crash(lab):
    other = lab.origin(serve(ok("<html>hello</html>", fields="Content-Type: text/html\r\n")))
    result = run_cli("--server", f"http://{other.address}", "status")
    assert result.returncode == 1 and result.stderr.strip()


@pytest.mark.several_threads
def test_status_as_a_table_and_as_json(lab, proxy):
    client = lab.client(proxy)
    for _ in range(20):
        client.get("/")
    table = proxy.cli("status")
    assert table.returncode == 0 and "\x1b" not in table.stdout
    for word in ("all", "10 %", "old", "new", "gate"):
        assert word in table.stdout, table.stdout
    data = json.loads(proxy.cli("status", "-o", "json").stdout)
    assert data["routes"][0]["weight"]["effective"] == 10
    assert data["routes"][0]["traffic"]["old"]["requests"] + data["routes"][0]["traffic"]["new"]["requests"] == 20
    one = json.loads(proxy.cli("status", "all", "-o", "json").stdout)
    assert "all" in json.dumps(one)
    assert proxy.cli("status", "-o", "yaml").stdout.count("routes:") == 1


@pytest.mark.several_threads
def test_an_unknown_route_is_1_and_named(proxy):
    for arguments in (["status", "nope"], ["weight", "nope", "1"], ["revert", "nope"], ["rearm", "nope"],
                      ["rollout", "status", "nope"], ["rollout", "abort", "nope"], ["history", "nope"]):
        result = proxy.cli(*arguments)
        assert result.returncode == 1 and "nope" in result.stderr, (arguments, result)


@pytest.mark.several_threads
def test_weight_mirror_revert_rearm_history_one_after_the_other(lab, proxy):
    result = proxy.cli("weight", "all", "25", "--reason", "canary, ticket 4711")
    assert result.returncode == 0 and "25" in result.stdout
    result = proxy.cli("weight", "all", "12.34%", "-o", "json")
    assert result.returncode in (0, 2)
    if result.returncode == 0:
        assert json.loads(result.stdout)["epoch"] == 2
    result = proxy.cli("revert", "all", "--reason", "checkout fails")
    assert result.returncode == 0 and "rearm" in result.stdout
    assert proxy.cli("weight", "all", "5").returncode == 5
    assert proxy.cli("rearm", "all").returncode == 0
    assert proxy.cli("rearm", "all").returncode == 5
    assert proxy.cli("weight", "all", "100", "--yes").returncode == 0
    history = proxy.cli("history")
    assert history.returncode == 0
    for word in ("canary, ticket 4711", "checkout fails", "revert", "rearm", "weight"):
        assert word in history.stdout, history.stdout
    rows = json.loads(proxy.cli("history", "all", "-n", "2", "-o", "json").stdout)["decisions"]
    assert [row["action"] for row in rows] == ["weight", "rearm"] and rows[0]["actor"]
    assert lab.client(proxy).get("/").text == "new"


@pytest.mark.several_threads
def test_the_status_shows_each_streams_verdict_with_its_numbers(lab):
    origin = lab.origin(serve(ok("x")), record=False)
    tidegate = lab.proxy(origin, origin, weight=50, route={"gate": {"slow": {"over": "1s"}, "on_fail": "notify"}})
    shown = tidegate.cli("status", "all").stdout
    assert re.search(r"stream +verdict +new too high", shown), shown
    for stream, threshold in (("errors", "8.9"), ("slow", "10.3")):
        assert re.search(rf"{stream} +inconclusive +- of {threshold} +0.0 of 6.0", shown), shown
    assert "on_fail: notify, reverts nothing" in shown


@pytest.mark.several_threads
def test_revert_all_reverts_every_route(lab, proxy):
    result = proxy.cli("revert", "--all")
    assert result.returncode == 0 and proxy.api.route()["latched"]


@pytest.mark.several_threads
def test_revert_all_shuts_every_gate_of_several_routes_at_once(lab):
    old, new = lab.origin(serve(ok("old"))), lab.origin(serve(ok("new")))
    tidegate = lab.tidegate({
        "workers": 2, "listeners": [{"address": "127.0.0.1:0"}], "admin": {"address": "127.0.0.1:0"},
        "clusters": {"old": {"endpoints": [old.address]}, "new": {"endpoints": [new.address]}},
        "routes": [{"name": "a", "match": {"path": {"prefix": "/a"}}, "weight": 100}, {"name": "b", "weight": 100}]})
    client = lab.client(tidegate)
    assert [client.get(path).text for path in ("/a", "/b")] == ["new", "new"]
    result = tidegate.cli("revert", "--all", "--reason", "region down", "-o", "json")
    assert result.returncode == 0 and sorted(r["name"] for r in json.loads(result.stdout)["routes"]) == ["a", "b"]
    assert [client.get(path).text for path in ("/a", "/b")] == ["old", "old"]
    for route in ("a", "b"):
        status = tidegate.api.route(route)
        assert status["latched"] and status["latch_reason"] == "region down" and status["reverts"]["operator"] == 1
    assert sorted(d["route"] for d in tidegate.api.history()) == ["a", "b"]
    assert tidegate.cli("rearm", "a").returncode == 0
    assert not tidegate.api.route("a")["latched"] and tidegate.api.route("b")["latched"]


@pytest.mark.several_threads
def test_the_server_may_come_from_the_environment(proxy):
    result = run_cli("status", "-o", "json", env={"TIDEGATE_SERVER": f"http://{proxy.admin_address}"})
    assert result.returncode == 0 and json.loads(result.stdout)["routes"]


@pytest.mark.several_threads
def test_a_token_is_demanded_when_there_is_one(lab, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-token-of-the-test\n")
    token.chmod(0o600)
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), admin={"address": "127.0.0.1:0", "token_file": str(token)})
    assert tidegate.api.get("/api/v1/status").status == 401
    assert tidegate.cli("status").returncode == 1
    assert tidegate.cli("--token-file", str(token), "status").returncode == 0
    assert tidegate.api.get("/healthz").status == 200


@pytest.mark.several_threads
def test_a_foreign_origin_and_a_foreign_host_are_refused(proxy):
    for fields in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        answer = proxy.api.call("PUT", "/api/v1/routes/all/weight", {"percent": 99}, fields)
        assert answer.status == 403, (fields, answer)
    assert proxy.api.route()["weight"]["effective"] == 10


@pytest.mark.several_threads
def test_get_never_changes_anything_and_errors_are_json(proxy):
    for path in ("/api/v1/routes/all/revert", "/api/v1/routes/all/weight"):
        answer = proxy.api.get(path)
        assert answer.status in (404, 405) and answer.json["error"]["code"]
    assert proxy.api.get("/nothing").json["error"]["code"] == "not_found"
    for data in (b"{", b"[]", b'{"percent": 1, "percent": 2}'):
        import urllib.error
        import urllib.request
        request = urllib.request.Request(f"http://{proxy.admin_address}/api/v1/routes/all/weight", data,
                                         {"Content-Type": "application/json"}, method="PUT")
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=10)
        assert error.value.code == 400 and "error" in json.loads(error.value.read())
        error.value.close()
    assert not proxy.api.history()


# --- run

def test_run_with_a_bad_configuration_is_78(lab, tmp_path):
    tidegate = lab.tidegate(GOOD.replace("weight: 10", "weight: 1000"), ready=False)
    assert tidegate.wait() == 78 and "routes[0].weight" in tidegate.output
    assert run_cli("run", "--config", str(tmp_path / "none.yaml")).returncode == 78


@pytest.mark.parametrize("which", ["listener", "admin", "metrics"])
def test_a_port_in_use_is_1_with_a_clear_message(lab, which):
    taken = lab.keep(socket.socket())
    taken.bind(("127.0.0.1", 0))
    taken.listen(1)
    address = "127.0.0.1:%d" % taken.getsockname()[1]
    text = {"listener": GOOD.replace("- address: 127.0.0.1:0", f"- address: {address}"),
            "admin": GOOD.replace("admin:\n  address: 127.0.0.1:0", f"admin:\n  address: {address}"),
            "metrics": GOOD + f"metrics:\n  address: {address}\n"}[which]
    tidegate = lab.tidegate(text, ready=False)
    assert tidegate.wait() == 1
    assert address in tidegate.output and re.search("in use", tidegate.output), tidegate.output


@pytest.mark.several_threads
def test_a_second_tidegate_on_the_same_port_is_refused_and_takes_no_traffic(lab):
    first = lab.proxy(lab.origin(serve(ok("first"))))
    second = lab.tidegate(GOOD.replace("- address: 127.0.0.1:0", f"- address: {first.address}"), ready=False)
    try:
        assert second.wait(5) == 1, "SO_REUSEPORT let two processes share the port"
    finally:
        if not second.ended_on_purpose:
            second.signal(signal.SIGKILL)
            second.wait()
