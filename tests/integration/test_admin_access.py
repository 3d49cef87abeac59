"""Who may use the admin API, and over what: tokens with roles and names, TLS, client certificates, and all of them changed while it runs.
What a hostile client does to its port ends with that client. PRODUCT §5."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from harness import Authority, Client, curl, eventually, ok, serve
from harness.tidegate import Api, run_cli
from test_tls import s_client_command

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VIEWER, OPERATOR, ADMIN = "viewers-token-000001", "operators-token-0001", "admins-token-0000001"
TOKENS = f"# who may\n\n{ADMIN}\n{OPERATOR} operator ci\r\n{VIEWER} viewer vera\n"
ORIGIN = serve(ok("x"))


class Pki:
    def __init__(self, directory):
        self.authority = Authority(directory / "authority")
        self.stranger = Authority(directory / "stranger", "Somebody Else")
        self.clients = Authority(directory / "clients", "Client Authority")
        self.server = self.authority.issue()
        self.elsewhere = self.authority.issue("DNS:elsewhere.example")
        self.expired = self.authority.issue(days=-1)
        self.alice = self.clients.issue(None, "/CN=alice")
        self.late = self.clients.issue(None, "/CN=late", days=-1)
        self.mallory = self.stranger.issue(None, "/CN=mallory")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


class Tokens:
    """A file of tokens: .path"""

    def __init__(self, path, text=TOKENS):
        self.path = str(path)
        self.write(text)

    def write(self, text):
        with open(self.path + ".new", "w", newline="") as file:
            file.write(text)
        os.chmod(self.path + ".new", 0o600)
        os.rename(self.path + ".new", self.path)

    def one(self, token):
        """A file that holds this one alone."""
        return Tokens(f"{self.path}.{token}", token + "\n").path


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "tokens")


@pytest.fixture
def guarded(lab, tokens):
    """Plain, on loopback, with three tokens. .api is an admin's."""
    tidegate = lab.proxy(lab.origin(ORIGIN), admin={"address": "127.0.0.1:0", "token_file": tokens.path})
    tidegate.api = Api(tidegate.admin_address, token=ADMIN)
    return tidegate


def has(tidegate, token):
    return Api(tidegate.admin_address, tidegate.api.tls, token)


def over_tls(lab, pki, identity=None, process=None, token_file=None, **more):
    """.api trusts it; .context is what it trusts it with."""
    identity = identity or pki.server
    admin = {"address": "127.0.0.1:0", "tls": {"cert": identity.cert, "key": identity.key, **more}}
    if token_file:
        admin["token_file"] = token_file
    tidegate = lab.proxy(lab.origin(ORIGIN), admin=admin, metrics={"address": "127.0.0.1:0"}, process=process)
    tidegate.context = pki.authority.client(pki.alice if "client_ca" in more else None)
    tidegate.api = Api(tidegate.admin_address, tidegate.context)
    return tidegate


@pytest.fixture
def secure(lab, pki):
    return over_tls(lab, pki)


def cli(tidegate, pki, *arguments, scheme="https", ca=True, env=None):
    trust = ("--ca", pki.authority.ca) if ca and scheme == "https" else ()
    return run_cli("--server", f"{scheme}://{tidegate.admin_address}", *trust, *arguments, env=env)


def connected(tidegate):
    host, port = tidegate.admin_address.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def serial_served(tidegate, pki):
    context = pki.authority.client()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connected(tidegate) as plain, context.wrap_socket(plain) as secured:
        der = secured.getpeercert(True)
    done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-serial"], input=der, stdout=subprocess.PIPE, timeout=20)
    return done.stdout.decode().split("=")[1].strip()


def install(identity, place):
    """As certbot and Kubernetes do it: each file at once."""
    for source, target in ((identity.key, place.key), (identity.cert, place.cert)):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)


@pytest.fixture
def place(pki, tmp_path):
    """A certificate whose files may be replaced."""
    made = type(pki.server)(tmp_path / "served")
    install(pki.server, made)
    return made


# --- roles

def test_a_token_alone_is_an_admin_and_each_other_may_do_what_its_role_is_for(guarded):
    asked = {"look": ("GET", "/api/v1/status", None), "config": ("GET", "/api/v1/config", None), "metrics": ("GET", "/metrics", None),
             "weight": ("PUT", "/api/v1/routes/all/weight", {"percent": 5}), "revert": ("POST", "/api/v1/routes/all/revert", {}),
             "rearm": ("POST", "/api/v1/routes/all/rearm", {}), "revert all": ("POST", "/api/v1/revert", {}),
             "reload": ("POST", "/api/v1/reload", {})}
    may = {VIEWER: {"look", "config", "metrics"}, OPERATOR: set(asked) - {"reload"}, ADMIN: set(asked)}
    for token, allowed in may.items():
        for name, (method, path, body) in asked.items():
            status = has(guarded, token).call(method, path, body).status
            assert status in ((200, 409) if name in allowed else (403,)), (token, name, status)     # 409: it is latched
    assert has(guarded, "another-token-of-nobody").get("/api/v1/status").status == 401
    assert has(guarded, None).get("/api/v1/status").status == 401
    assert has(guarded, None).get("/healthz").status == 200


def test_a_role_that_is_too_small_is_told_which_it_is_and_which_is_needed(guarded, tokens):
    error = has(guarded, VIEWER).weight(50, expect=403).json["error"]
    assert error["code"] == "forbidden"
    assert error["message"] == "PUT /api/v1/routes/all/weight needs the role operator; the token has the role viewer"
    said = guarded.cli("--token-file", tokens.one(OPERATOR), "reload")
    assert said.returncode == 1 and "needs the role admin; the token has the role operator" in said.stderr
    assert has(guarded, OPERATOR).call("POST", "/api/v1/drain", {}).status == 403
    assert guarded.api.route()["weight"]["effective"] == 0


def test_a_method_that_an_endpoint_does_not_take_is_405_for_every_role(guarded):
    for token in (VIEWER, OPERATOR, ADMIN):
        assert has(guarded, token).call("DELETE", "/api/v1/drain").status == 405


def test_the_history_and_the_log_name_the_token_and_then_who_the_client_says_it_is(guarded, tokens):
    has(guarded, OPERATOR).weight(5)
    has(guarded, OPERATOR).weight(6, actor="bob")
    guarded.api.weight(7, actor="ci")
    assert [one["actor"] for one in guarded.api.history("all")] == ["admin (ci)", "ci (bob)", "ci"]
    assert guarded.cli("--token-file", tokens.one(OPERATOR), "weight", "all", "8").returncode == 0
    assert guarded.api.history("all")[0]["actor"].startswith("ci (")
    guarded.logs("by ci (bob)")
    guarded.api.call("POST", "/api/v1/reload", {"reason": "ticket 1"})
    guarded.logs("a reload is asked for by admin: ticket 1")


def test_the_command_line_takes_the_first_token_of_the_servers_own_file(guarded, tokens):
    assert guarded.cli("--token-file", tokens.path, "reload").returncode == 0


def test_without_tokens_everything_is_allowed_on_loopback(lab):
    tidegate = lab.proxy(lab.origin(ORIGIN))
    assert tidegate.api.weight(5) and tidegate.api.call("POST", "/api/v1/reload", {}).status == 200


def written(tmp_path, admin):
    path = tmp_path / "tidegate.yaml"
    path.write_text("listeners: [{address: '127.0.0.1:0'}]\nclusters: {old: {endpoints: ['127.0.0.1:1']}, new: {endpoints: ['127.0.0.1:2']}}\n"
                    f"routes: [{{name: all}}]\nadmin: {admin}\n")
    return str(path)


@pytest.mark.one_worker
@pytest.mark.parametrize("text, problem", [
    ("", ": is empty"), ("# nobody\n\n", ": holds no token"),
    (f"{ADMIN}\n{VIEWER} vewer\n", ":2: unknown role \"vewer\""), (f"{ADMIN}\n{VIEWER} secret words\n", ":2: unknown role:"),
    (f"{ADMIN}\n#\n{ADMIN} viewer\n", ":3: the token of line 1 again"), (f"{VIEWER} viewer vera again\n", ":1: more than TOKEN ROLE NAME"),
    (f"{ADMIN} admin gate\n", ":1: the name gate is Tidegate's own"), ("t\u00f6ken-of-many-signs\n", ":1: a token has visible ASCII signs only"),
])
def test_what_is_wrong_with_the_tokens_is_told_with_file_and_line_by_validate_and_run_alike(tmp_path, text, problem):
    tokens = Tokens(tmp_path / "tokens", text)
    path = written(tmp_path, f"{{token_file: {tokens.path}}}")
    told = run_cli("validate", "--config", path)
    assert told.returncode == 1 and f"{path}:4:21: admin.token_file: {tokens.path}{problem}" in told.stderr, told.stderr
    assert not any(secret in told.stderr for secret in (ADMIN, VIEWER, "secret")), "a token is never shown"
    assert run_cli("run", "--config", path).returncode == 78


@pytest.mark.one_worker
def test_tokens_that_can_be_guessed_or_read_by_everybody_are_warned_about(tmp_path):
    tokens = Tokens(tmp_path / "tokens", f"{ADMIN}\nshort viewer\n")
    path = written(tmp_path, f"{{token_file: {tokens.path}}}")
    told = run_cli("validate", "--strict", "--config", path)
    assert told.returncode == 3 and "tokens:2: the token has fewer than 16 signs" in told.stderr, told.stderr
    tokens.write(ADMIN + "\n")
    assert run_cli("validate", "--strict", "--config", path).returncode == 0
    os.chmod(tokens.path, 0o644)
    told = run_cli("validate", "--strict", "--config", path)
    assert told.returncode == 3 and "every user of this machine can read it" in told.stderr, told.stderr


@pytest.mark.one_worker
def test_an_address_that_others_reach_needs_tokens_also_with_tls_and_client_certificates(tmp_path, pki):
    tls = f"tls: {{cert: {pki.server.cert}, key: {pki.server.key}, client_ca: {pki.clients.ca}}}"
    told = run_cli("validate", "--config", written(tmp_path, f"{{address: '0.0.0.0:9900', {tls}}}"))
    assert told.returncode == 1 and "token_file is required" in told.stderr, told.stderr


# --- tokens, while it runs

@pytest.mark.parametrize("how", ["reload", "SIGHUP", "the file"])
def test_tokens_are_read_again_and_one_that_is_gone_counts_no_more_also_on_a_connection_that_exists(lab, guarded, tokens, how):
    kept = lab.client(guarded.admin_address)
    as_operator = {"host": guarded.admin_address, "fields": f"Authorization: Bearer {OPERATOR}\r\n"}
    assert kept.get("/api/v1/status", **as_operator).status == 200
    tokens.write(f"{ADMIN}\nanother-token-00001 viewer\n")
    if how == "reload":
        assert guarded.api.call("POST", "/api/v1/reload", {}).status == 200
    elif how == "SIGHUP":
        guarded.signal(signal.SIGHUP)
    if how != "reload":     # which has them in force when it is answered
        eventually(lambda: has(guarded, "another-token-00001").get("/api/v1/status").status == 200, "the new token")
    assert has(guarded, "another-token-00001").get("/api/v1/status").status == 200
    assert has(guarded, "another-token-00001").weight(5, expect=None).status == 403
    assert kept.get("/api/v1/status", **as_operator).status == 401
    guarded.logs("tokens was read again and is in use from now on")


def test_a_role_that_was_taken_away_is_gone_with_the_reload(guarded, tokens):
    has(guarded, OPERATOR).weight(5)
    tokens.write(TOKENS.replace("operator ci", "viewer ci"))
    assert guarded.api.call("POST", "/api/v1/reload", {}).status == 200
    assert has(guarded, OPERATOR).weight(6, expect=None).status == 403


@pytest.mark.parametrize("text", ["", f"{ADMIN}\n{VIEWER} vewer\n", None])
def test_bad_tokens_refuse_the_reload_by_name_and_those_of_before_stay(guarded, tokens, text):
    if text is None:
        os.unlink(tokens.path)
    else:
        tokens.write(text)
    error = guarded.api.call("POST", "/api/v1/reload", {})
    assert error.status == 422 and f"admin.token_file: {tokens.path}" in error.json["error"]["message"], error
    guarded.logs("the tokens of before stay in use")
    assert has(guarded, OPERATOR).weight(5)
    tokens.write(TOKENS)
    assert guarded.api.call("POST", "/api/v1/reload", {}).status == 200


def test_tokens_from_a_pipe_are_read_once_and_kept(lab, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    writer = threading.Thread(target=lambda: pipe.write_text(TOKENS), daemon=True)
    writer.start()
    tidegate = lab.proxy(lab.origin(ORIGIN), admin={"address": "127.0.0.1:0", "token_file": str(pipe)})
    writer.join(5)
    assert has(tidegate, ADMIN).call("POST", "/api/v1/reload", {}).status == 200
    assert has(tidegate, VIEWER).get("/api/v1/status").status == 200


# --- TLS

def test_everything_is_served_over_tls_to_the_command_line_and_to_others(secure, pki):
    assert secure.api.weight(5) and secure.api.route()["weight"]["effective"] == 5
    assert cli(secure, pki, "status", "all").returncode == 0
    assert cli(secure, pki, "weight", "all", "10", "-o", "json").returncode == 0
    assert cli(secure, pki, "history").returncode == 0
    assert curl("--cacert", pki.authority.ca, f"https://{secure.admin_address}/api/v1/status").status == 200


def test_many_requests_use_one_connection(lab, secure, pki):
    client = lab.client(secure.admin_address, tls=secure.context)
    for _ in range(50):
        assert client.get("/api/v1/status", secure.admin_address).status == 200
    assert client.get("/healthz", secure.admin_address, "Connection: close\r\n").status == 200
    assert client.is_closed(10)


@pytest.mark.parametrize("only", [V12, V13])
def test_clients_of_each_version_are_served(secure, pki, only):
    assert Api(secure.admin_address, pki.authority.client(least=only, most=only)).get("/healthz").status == 200


def test_a_server_that_is_not_who_it_should_be_is_4_and_nothing_is_asked(lab, pki, secure):
    said = cli(secure, pki, "weight", "all", "50", ca=False)
    assert said.returncode == 4 and "is not valid" in said.stderr and "--ca FILE" in said.stderr, said.stderr
    said = run_cli("--server", f"https://{secure.admin_address}", "--ca", pki.stranger.ca, "weight", "all", "50")
    assert said.returncode == 4 and "is not valid" in said.stderr, said.stderr
    assert secure.api.history("all") == []
    other = over_tls(lab, pki, pki.elsewhere)
    said = cli(other, pki, "status")
    assert said.returncode == 4 and "mismatch" in said.stderr and "a name that it is for" in said.stderr, said.stderr
    said = cli(secure, pki, "--ca", "/nowhere.pem", "status", ca=False)
    assert said.returncode == 1 and "/nowhere.pem" in said.stderr, said.stderr


def test_the_environment_may_name_the_authority_and_the_clients_certificate(lab, pki):
    tidegate = over_tls(lab, pki, client_ca=pki.clients.ca)
    env = {"TIDEGATE_SERVER": f"https://{tidegate.admin_address}", "TIDEGATE_CA": pki.authority.ca, "TIDEGATE_CERT": pki.alice.cert,
           "TIDEGATE_KEY": pki.alice.key}
    assert run_cli("status", env=env).returncode == 0


def test_http_to_a_port_of_https_and_the_other_way_round_is_said(lab, secure, pki):
    said = cli(secure, pki, "status", scheme="http")
    assert said.returncode == 4 and "speaks TLS only" in said.stderr and "https://" in said.stderr, said.stderr
    answer = Api(secure.admin_address).get("/api/v1/status")
    assert answer.status == 400 and answer.json["error"]["code"] == "tls_required" and "https://" in answer.json["error"]["message"]
    plain = lab.proxy(lab.origin(ORIGIN))
    said = cli(plain, pki, "status")
    assert said.returncode == 4 and "does not speak TLS" in said.stderr and "http://" in said.stderr, said.stderr


def test_a_plain_request_of_any_method_and_with_a_body_still_on_its_way_is_told_so(secure):
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        with connected(secure) as plain:
            plain.sendall(f"{method} /api/v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n".encode() + b"x" * 60000)
            said = b"".join(iter(lambda: plain.recv(65536), b""))
        assert said.startswith(b"HTTP/1.1 400") and b"tls_required" in said, (method, said)


def test_the_metrics_listener_stays_plain(secure):
    metrics = Api(secure.metrics_address)
    assert metrics.get("/healthz").status == metrics.get("/readyz").status == 200
    used = {dict(labels)["used_by"]: value for (name, labels), value in metrics.metrics().items()
            if name == "tidegate_tls_cert_not_after_timestamp_seconds"}
    assert used.keys() == {"admin"} and used["admin"] > 1_700_000_000


def test_tls_and_tokens_go_together(lab, pki, tokens):
    tidegate = over_tls(lab, pki, token_file=tokens.path)
    assert tidegate.api.get("/api/v1/status").status == 401
    assert Api(tidegate.admin_address, tidegate.context, VIEWER).get("/api/v1/status").status == 200
    assert cli(tidegate, pki, "--token-file", tokens.one(OPERATOR), "weight", "all", "5").returncode == 0
    assert cli(tidegate, pki, "--token-file", tokens.one(VIEWER), "weight", "all", "6").returncode == 1


def test_the_configuration_that_is_shown_names_the_files_and_not_what_is_in_them(secure, pki):
    shown = secure.api.get("/api/v1/config").json["admin"]["tls"]
    assert shown == {"cert": pki.server.cert, "key": pki.server.key, "min_version": "1.2", "client_ca": None}


@pytest.mark.one_worker
@pytest.mark.parametrize("keys, problem", [
    ("{cert: none, key: KEY}", "admin.tls.cert: none: cannot be read"), ("{cert: CERT, key: OTHER}", "is not the key of the certificate"),
    ("{cert: CERT, key: KEY, client_ca: KEY}", "admin.tls.client_ca: "), ("{cert: CERT}", "\"key\" is missing"),
    ("{cert: CERT, key: KEY, alpn: [h2]}", "admin.tls.alpn: unknown key here; it belongs to listeners[].tls"),
    ("{certificates: [{cert: CERT, key: KEY}]}", "admin.tls.certificates: unknown key here; it belongs to listeners[].tls"),
    ("{cert: CERT, key: KEY, min_version: '1.1'}", "\"1.1\" is not one of 1.2, 1.3"),
])
def test_validate_tells_what_is_wrong_with_the_certificate(tmp_path, pki, keys, problem):
    keys = keys.replace("CERT", pki.server.cert).replace("OTHER", pki.elsewhere.key).replace("KEY", pki.server.key)
    told = run_cli("validate", "--config", written(tmp_path, f"{{tls: {keys}}}"))
    assert told.returncode == 1 and problem in told.stderr, told.stderr


@pytest.mark.one_worker
def test_an_expired_certificate_is_a_warning(tmp_path, pki):
    path = written(tmp_path, f"{{tls: {{cert: {pki.expired.cert}, key: {pki.expired.key}}}}}")
    told = run_cli("validate", "--strict", "--config", path)
    assert told.returncode == 3 and "expired" in told.stderr, told.stderr


# --- client certificates

@pytest.mark.parametrize("only", [V12, V13])
def test_who_shows_no_certificate_or_a_wrong_or_an_expired_one_is_refused_where_one_is_asked_for(lab, pki, only):
    tidegate = over_tls(lab, pki, client_ca=pki.clients.ca)
    assert Api(tidegate.admin_address, pki.authority.client(pki.alice, least=only, most=only)).weight(5)
    for bad in (None, pki.mallory, pki.late):
        context = pki.authority.client(bad, least=only, most=only)
        with pytest.raises(OSError):
            Api(tidegate.admin_address, context).weight(50)
    assert tidegate.api.route()["weight"]["effective"] == 5


def test_the_command_line_shows_its_certificate_and_says_what_to_do_when_it_is_not_taken(lab, pki):
    tidegate = over_tls(lab, pki, client_ca=pki.clients.ca)
    with_one = ("--cert", pki.alice.cert, "--key", pki.alice.key)
    assert cli(tidegate, pki, *with_one, "weight", "all", "5").returncode == 0
    for bad in ((), ("--cert", pki.mallory.cert, "--key", pki.mallory.key), ("--cert", pki.late.cert, "--key", pki.late.key)):
        said = cli(tidegate, pki, *bad, "weight", "all", "50")
        assert said.returncode == 4 and "--cert FILE --key FILE" in said.stderr, said.stderr
    assert tidegate.api.route()["weight"]["effective"] == 5
    assert cli(tidegate, pki, "--cert", pki.alice.cert, "status").returncode == 2


# --- certificates, while it runs

@pytest.mark.parametrize("how", ["reload", "SIGHUP", "the file"])
def test_a_new_certificate_is_served_and_connections_go_on_with_what_they_began_with(lab, pki, place, how):
    tidegate = over_tls(lab, pki, place)
    kept = lab.client(tidegate.admin_address, tls=tidegate.context)
    assert kept.get("/healthz", tidegate.admin_address).status == 200
    renewed = pki.authority.issue()
    install(renewed, place)
    if how == "reload":
        assert cli(tidegate, pki, "reload").returncode == 0
    elif how == "SIGHUP":
        tidegate.signal(signal.SIGHUP)
    eventually(lambda: serial_served(tidegate, pki) == renewed.serial, "the new certificate", 20)
    tidegate.logs("admin: " + place.cert + " was read again and is in use from now on")
    assert kept.get("/healthz", tidegate.admin_address).status == 200
    assert tidegate.api.get("/healthz").status == 200


@pytest.mark.parametrize("what", ["garbage", "missing", "another's key"])
def test_a_broken_certificate_refuses_the_reload_by_name_and_the_old_one_stays(lab, pki, place, what):
    tidegate = over_tls(lab, pki, place)
    if what == "garbage":
        with open(place.cert, "w") as file:
            file.write("no certificate\n")
    elif what == "missing":
        os.unlink(place.cert)
    else:
        shutil.copy(pki.elsewhere.key, place.key)
    answer = tidegate.api.call("POST", "/api/v1/reload", {})
    assert answer.status == 422 and "admin.tls." in answer.json["error"]["message"], answer
    tidegate.logs("admin: " + (place.key if what == "another's key" else place.cert))
    tidegate.logs("what was read before stays in use")
    assert serial_served(tidegate, pki) == pki.server.serial
    assert tidegate.api.get("/healthz").status == 200


def test_an_expired_certificate_never_replaces_a_valid_one(lab, pki, place):
    tidegate = over_tls(lab, pki, place)
    install(pki.expired, place)
    tidegate.signal(signal.SIGHUP)
    tidegate.logs("what was read before stays in use")
    assert serial_served(tidegate, pki) == pki.server.serial


def test_a_reload_that_changes_something_else_takes_the_new_certificate_too(lab, pki, place):
    tidegate = over_tls(lab, pki, place)
    renewed = pki.authority.issue()
    install(renewed, place)
    tidegate.config["routes"][0]["weight"] = 7
    assert tidegate.reload(tidegate.config)
    eventually(lambda: serial_served(tidegate, pki) == renewed.serial, "the new certificate")
    again = pki.authority.issue()
    install(again, place)
    eventually(lambda: serial_served(tidegate, pki) == again.serial, "the files are watched after a reload", 20)


def test_other_clients_are_trusted_when_client_ca_is_replaced(lab, pki, tmp_path):
    ca = str(tmp_path / "clients.pem")
    shutil.copy(pki.clients.ca, ca)
    tidegate = over_tls(lab, pki, client_ca=ca)
    assert tidegate.api.get("/healthz").status == 200
    shutil.copy(pki.stranger.ca, ca + ".new")
    os.rename(ca + ".new", ca)
    mallory = Api(tidegate.admin_address, pki.authority.client(pki.mallory))

    def is_taken():
        try:
            return mallory.get("/healthz").status == 200
        except OSError:
            return False
    eventually(is_taken, "clients of the other authority", 20)
    with pytest.raises(OSError):
        Api(tidegate.admin_address, pki.authority.client(pki.alice)).get("/healthz")


def test_keys_of_admin_do_not_change_at_a_reload(secure, pki):
    secure.config["admin"]["tls"]["min_version"] = "1.3"
    error = secure.reload(secure.config, expect=422)
    assert error["message"].startswith("admin has changed"), error
    assert secure.api.get("/healthz").status == 200


def test_an_upgrade_hands_the_port_on_and_the_new_process_speaks_tls_there(lab, pki, tokens):
    tidegate = over_tls(lab, pki, token_file=tokens.path)
    before, address = tidegate.pid, tidegate.admin_address
    tidegate.upgrade()
    assert tidegate.pid != before and tidegate.admin_address == address
    assert Api(address, tidegate.context, ADMIN).weight(5)
    assert Api(address, tidegate.context, VIEWER).weight(6, expect=None).status == 403
    assert Api(address).get("/healthz").status == 400


# --- hostile clients

def test_a_request_in_records_of_one_byte_that_come_byte_by_byte_is_answered(secure, pki):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = secure.context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with connected(secure) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def step(what):
            while True:
                try:
                    done = what()
                except ssl.SSLWantReadError:
                    done = None
                for byte in outgoing.read():
                    plain.sendall(bytes([byte]))
                if done is not None:
                    return done
                incoming.write(plain.recv(65536))
        step(lambda: tls.do_handshake() or True)
        request = f"GET /api/v1/status HTTP/1.1\r\nHost: {secure.admin_address}\r\nConnection: close\r\n\r\n".encode()
        for at in range(len(request)):
            step(lambda: tls.write(request[at:at + 1]))
        said = b""
        while b"\r\n\r\n" not in said:
            said += step(lambda: tls.read(65536))
    assert said.startswith(b"HTTP/1.1 200")


def test_half_a_handshake_held_open_by_more_connections_than_the_limit_locks_nobody_out(secure, pki):
    held = []
    try:
        for i in range(400):    # the limit is 256
            held.append(connected(secure))
            held[-1].sendall(b"\x16\x03\x01\x02\x00\x01\x00"[:i % 8])
        for _ in range(5):
            assert secure.api.get("/api/v1/status").status == 200
        assert secure.sockets() < 320
        for one in held:    # the deadline of a handshake is 5 s
            one.settimeout(20)
            try:
                assert one.recv(65536) == b""
            except ConnectionResetError:
                pass
    finally:
        for one in held:
            one.close()
    assert secure.api.weight(5)


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"\x41" * 70000, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x80\x2e\x01\x00\x02" + b"\x00" * 60,
                                     b"\x15\x03\x01\x00\x02\x02\x28", b"\xff" * 20000])
def test_garbage_ends_its_connection_and_no_other(secure, garbage):
    for _ in range(20):
        with connected(secure) as plain:
            try:
                plain.sendall(garbage)
                while plain.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert secure.api.get("/api/v1/status").status == 200


def test_garbage_inside_of_an_established_connection_ends_it(secure):
    with connected(secure) as plain:
        secured = secure.context.wrap_socket(plain, server_hostname="127.0.0.1")
        os.write(secured.fileno(), b"\x17\x03\x03\x00\x20" + b"\x00" * 32)
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            while secured.recv(65536):
                pass
        secured.close()
    assert secure.api.get("/api/v1/status").status == 200


def test_clients_that_leave_in_the_middle_hurt_nobody(secure):
    for _ in range(50):
        with connected(secure) as plain:
            secured = secure.context.wrap_socket(plain, server_hostname="127.0.0.1")
            secured.sendall(b"GET /api/v1/status HTTP/1.1\r\nHo")
            os.close(secured.detach())
    assert secure.api.get("/api/v1/status").status == 200


def test_renegotiation_is_refused(secure):
    secure.address = secure.admin_address
    text = s_client_command(secure, "R", "RENEGOTIATING", "", "-tls1_2", "-legacy_renegotiation")
    assert "RENEGOTIATING" in text and "no renegotiation" in text, text
    assert secure.api.get("/healthz").status == 200


def test_tls_1_1_is_refused_and_1_2_where_1_3_is_the_least(lab, secure, pki):
    done = subprocess.run(["timeout", "20", "openssl", "s_client", "-connect", secure.admin_address, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert "protocol version" in done.stdout.decode("latin1"), done.stdout
    strict = over_tls(lab, pki, min_version="1.3")
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        Client(strict.admin_address, tls=pki.authority.client(most=V12))
    assert strict.api.get("/healthz").status == 200


def test_a_client_of_http2_alone_is_refused(secure, pki):
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Client(secure.admin_address, tls=pki.authority.client(alpn=["h2"]))


def test_it_ends_in_peace_while_clients_hold_handshakes_and_connections(secure):
    held = [connected(secure) for _ in range(10)]
    secured = [secure.context.wrap_socket(one, server_hostname="127.0.0.1") for one in held[:5]]
    assert secure.terminate(15) == 0
    for one in [*secured, *held[5:]]:
        one.close()
