"""TLS on both legs: certificates and their change, sessions, client certificates, what is refused and how it is told."""
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from harness import Authority, Client, WrkLoad, curl, eventually, ok, openssl, serve
from harness.tidegate import run_cli

pytestmark = pytest.mark.one_worker

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
MIB = 1024 * 1024


class Pki:
    def __init__(self, directory):
        self.directory = directory
        self.authority = Authority(directory / "authority")
        self.stranger = Authority(directory / "stranger", "Somebody Else")
        self.clients = Authority(directory / "clients", "Client Authority")
        self.server = self.authority.issue()
        self.wild = self.authority.issue("DNS:*.example.org", "/CN=wild")
        self.rsa = self.authority.issue(rsa=True, subject="/CN=rsa")
        self.expired = self.authority.issue(days=-1)
        self.other_name = self.authority.issue("DNS:other.example.com")
        self.alice = self.clients.issue(None, "/O=Example, Inc/CN=alice")
        self.mallory = self.stranger.issue(None, "/CN=mallory")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def echo(request):
    """What reached the origin, as JSON."""
    return ok(json.dumps({"fields": request.fields, "target": request.target, "size": len(request.body)}))


def tls(*identities, **more):
    return {"tls": {"certificates": [identity.files() for identity in identities], **more}}


@pytest.fixture
def proxy(lab, pki):
    """https -> plain, one worker."""
    return lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server))


def fields_of(response):
    assert response.status == 200, response
    return dict(json.loads(response.text)["fields"])


def handshakes(proxy, result, listener="listener-1"):
    return proxy.api.metric("tidegate_tls_handshakes_total", listener=listener, result=result)


def upstream_handshakes(proxy, result, upstream="old"):
    return proxy.api.metric("tidegate_upstream_tls_handshakes_total", upstream=upstream, result=result)


def s_client(proxy, *arguments):
    """What openssl s_client says of a handshake."""
    done = subprocess.run(["timeout", "20", "openssl", "s_client", "-connect", proxy.address, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode("latin1")


def s_client_command(proxy, letter, answer, then, *arguments):
    """Types a command letter, waits for the answer, types more. @return all that it said until it ended."""
    process = subprocess.Popen(["timeout", "20", "openssl", "s_client", "-connect", proxy.address, *arguments], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = []
    reader = threading.Thread(target=lambda: said.extend(iter(lambda: process.stdout.read1(65536), b"")), daemon=True)
    reader.start()
    for wait_for, typed in (("Verify return code", letter + "\n"), (answer, then)):
        eventually(lambda: wait_for in b"".join(said).decode("latin1") or process.poll() is not None, wait_for)
        try:
            process.stdin.write(typed.encode())
            process.stdin.flush()
        except BrokenPipeError:
            break
    process.wait(25)
    reader.join(5)
    process.stdin.close()
    process.stdout.close()
    return b"".join(said).decode("latin1")


def subject_served(proxy, pki, name=None, **options):
    """The serial number of the certificate that a client is shown."""
    context = pki.authority.client(**options)
    context.check_hostname = False
    with Client(proxy.address, tls=context, name=name) as client:
        der = client.socket.getpeercert(True)
    text = openssl("x509", "-inform", "DER", "-noout", "-serial", stdin=der).decode()
    return text.split("=")[1].strip()


# --- clients

@pytest.mark.several_threads
def test_a_request_over_tls_is_served_and_the_origin_learns_that_it_was(proxy, pki):
    result = curl("--cacert", pki.authority.ca, f"https://{proxy.address}/a?b")
    assert result.exit_code == 0 and result.status == 200, result.trace
    got = json.loads(result.body)
    assert dict(got["fields"])["x-forwarded-proto"] == "https"
    assert got["target"] == "/a?b"
    proxy.api.counts(1, "http_requests_total", route="all", status="200")


def test_many_requests_use_one_connection_and_one_handshake(lab, proxy, pki):
    client = lab.client(proxy, tls=pki.authority.client())
    for _ in range(20):
        assert client.get().status == 200
    assert client.post(b"x" * 5000).status == 200
    assert handshakes(proxy, "ok") == 1


@pytest.mark.parametrize("target, status", [("https://a.example/x", 200), ("HTTPS://a.example/x", 200), ("http://a.example/x", 400)])
def test_an_absolute_target_has_the_scheme_of_the_listener(lab, proxy, pki, target, status):
    assert lab.client(proxy, tls=pki.authority.client()).get(target, host="a.example").status == status


@pytest.mark.parametrize("target, status", [("http://a.example/x", 200), ("https://a.example/x", 400)])
def test_and_on_a_plain_listener_as_well(lab, target, status):
    proxy = lab.proxy(lab.origin(serve(echo)))
    assert lab.client(proxy).get(target, host="a.example").status == status


@pytest.mark.parametrize("offered, chosen", [(["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "h2"), (None, None)])
def test_the_protocol_is_agreed_on(proxy, pki, offered, chosen):
    context = pki.authority.client()
    if offered:
        context.set_alpn_protocols(offered)
    with Client(proxy.address, tls=context) as client:
        assert client.socket.selected_alpn_protocol() == chosen


def test_a_listener_may_offer_less(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, alpn=["http/1.1"]))
    context = pki.authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = lab.client(proxy, tls=context)
    assert client.socket.selected_alpn_protocol() == "http/1.1"
    assert client.get().status == 200
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        Client(proxy.address, tls=context)
    eventually(lambda: handshakes(proxy, "parameters") == 1)


# --- which certificate

@pytest.mark.parametrize("name, expected", [("api.example.com", "server"), ("API.Example.Com", "server"), ("a.example.org", "wild"),
                                            ("a.b.example.org", "server"), ("example.org", "server"), ("nobody.test", "server"),
                                            (None, "server")])
def test_the_certificate_is_picked_by_name(lab, pki, name, expected):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, pki.wild))
    assert subject_served(proxy, pki, name) == getattr(pki, expected).serial


def test_keys_of_two_kinds_serve_clients_of_both(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, pki.rsa))
    old = pki.authority.client(most=V12)
    for ciphers, expected in (("ECDHE-RSA-AES128-GCM-SHA256", pki.rsa), ("ECDHE-ECDSA-AES128-GCM-SHA256", pki.server)):
        old.set_ciphers(ciphers)
        with Client(proxy.address, tls=old) as client:
            serial = openssl("x509", "-inform", "DER", "-noout", "-serial", stdin=client.socket.getpeercert(True)).decode()
            assert expected.serial in serial
            assert client.get().status == 200


# --- versions

@pytest.mark.parametrize("only, name", [(V12, "TLSv1.2"), (V13, "TLSv1.3")])
def test_clients_of_one_version_are_served(lab, proxy, pki, only, name):
    client = lab.client(proxy, tls=pki.authority.client(least=only, most=only))
    assert client.socket.version() == name
    assert client.get().status == 200


def test_tls_1_1_is_refused(proxy):
    text = s_client(proxy, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "protocol version" in text, text
    eventually(lambda: handshakes(proxy, "version") == 1)


def test_tls_1_2_is_refused_where_1_3_is_the_least(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, min_version="1.3"))
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        Client(proxy.address, tls=pki.authority.client(most=V12))
    assert lab.client(proxy, tls=pki.authority.client()).get().status == 200
    eventually(lambda: handshakes(proxy, "version") == 1)


def test_renegotiation_is_refused(lab, proxy, pki):
    text = s_client_command(proxy, "R", "RENEGOTIATING", "", "-tls1_2", "-legacy_renegotiation")
    assert "RENEGOTIATING" in text and "no renegotiation" in text, text
    assert lab.client(proxy, tls=pki.authority.client()).get().status == 200


def test_key_updates_are_answered(proxy):
    request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    text = s_client_command(proxy, "K", "KEYUPDATE", request, "-tls1_3")
    assert "KEYUPDATE" in text and "HTTP/1.1 200" in text, text


# --- sessions

@pytest.mark.several_threads
@pytest.mark.parametrize("only", [V12, V13])
def test_sessions_are_resumed_also_on_another_worker(lab, pki, only):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server), workers=2)
    context = pki.authority.client(least=only, most=only)
    with Client(proxy.address, tls=context) as client:
        assert client.get().status == 200
        session = client.socket.session
    for _ in range(8):
        with Client(proxy.address, tls=context, session=session) as client:
            assert client.get().status == 200
            assert client.socket.session_reused
            session = client.socket.session
    eventually(lambda: proxy.api.metric("tidegate_tls_resumptions_total", listener="listener-1") == 8)


def test_a_session_does_not_carry_a_client_to_another_listener(lab, pki):
    """Or a ticket of an open listener would open one that asks for a certificate."""
    config_of = {"listeners": [{"address": "127.0.0.1:0", "name": "open", **tls(pki.server)},
                               {"address": "127.0.0.1:0", "name": "closed", **tls(pki.server, client_ca=pki.clients.ca)}]}
    proxy = lab.proxy(lab.origin(serve(echo)), **config_of)
    context = pki.authority.client(most=V12)
    with Client(proxy.names["open"], tls=context) as client:
        assert client.get().status == 200
        session = client.socket.session
    with pytest.raises(ssl.SSLError):
        Client(proxy.names["closed"], tls=context, session=session)


def test_the_status_of_the_certificate_is_stapled(lab, pki):
    staple = pki.authority.ocsp(pki.server)
    proxy = lab.proxy(lab.origin(serve(echo)), listener={"tls": {"certificates": [pki.server.files(ocsp=staple), pki.wild.files()]}})
    for version in ("-tls1_2", "-tls1_3"):
        text = s_client(proxy, "-status", version, "-servername", "api.example.com")
        assert "OCSP Response Status: successful" in text and "Cert Status: good" in text, text
    assert "OCSP response: no response sent" in s_client(proxy, "-status", "-servername", "a.example.org")


# --- client certificates

def test_a_client_with_a_certificate_is_named_to_the_origin(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, client_ca=pki.clients.ca))
    client = lab.client(proxy, tls=pki.authority.client(pki.alice))
    for _ in range(2):
        fields = fields_of(client.get(fields="x-forwarded-client-cert: Hash=00;Subject=\"CN=root\"\r\n"))
        assert fields["x-forwarded-client-cert"] == f'Hash={pki.alice.fingerprint};Subject="CN=alice,O=Example\\, Inc"'


@pytest.mark.parametrize("only", [V12, V13])
def test_clients_without_a_certificate_are_refused_where_one_is_required(lab, pki, only):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, client_ca=pki.clients.ca))
    for identity, result in ((None, "no_certificate"), (pki.mallory, "bad_certificate")):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with Client(proxy.address, tls=pki.authority.client(identity, most=only)) as client:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                if not client.socket.recv(1):
                    raise ConnectionError("closed")
        eventually(lambda: handshakes(proxy, result) == 1, result)
    assert proxy.api.metric("http_requests_total", route="all", status="200") == 0
    assert lab.client(proxy, tls=pki.authority.client(pki.alice, most=only)).get().status == 200


def test_where_it_is_optional_those_without_one_are_served_and_bad_ones_refused(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, client_ca=pki.clients.ca, client_auth="optional"))
    fields = fields_of(lab.client(proxy, tls=pki.authority.client()).get(fields="X-Forwarded-Client-Cert: Hash=00\r\n"))
    assert "x-forwarded-client-cert" not in fields
    assert "x-forwarded-client-cert" in fields_of(lab.client(proxy, tls=pki.authority.client(pki.alice)).get())
    with pytest.raises(ssl.SSLError):
        Client(proxy.address, tls=pki.authority.client(pki.mallory, most=V12))


def test_a_trusted_proxy_may_say_who_its_client_is(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, client_ca=pki.clients.ca, client_auth="optional"),
                      trusted_proxies=["127.0.0.1/32"])
    claim = 'x-forwarded-client-cert: Hash=11;Subject="CN=bob"\r\nx-forwarded-proto: http\r\n'
    fields = fields_of(lab.client(proxy, tls=pki.authority.client()).get(fields=claim))
    assert fields["x-forwarded-client-cert"] == 'Hash=11;Subject="CN=bob"' and fields["x-forwarded-proto"] == "http"
    fields = fields_of(lab.client(proxy, tls=pki.authority.client(pki.alice)).get(fields=claim))
    assert fields["x-forwarded-client-cert"].startswith("Hash=" + pki.alice.fingerprint)


def test_a_resumed_session_still_says_who_the_client_is(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, client_ca=pki.clients.ca))
    context = pki.authority.client(pki.alice)
    with Client(proxy.address, tls=context) as client:
        first = fields_of(client.get())["x-forwarded-client-cert"]
        session = client.socket.session
    with Client(proxy.address, tls=context, session=session) as client:
        assert fields_of(client.get())["x-forwarded-client-cert"] == first
        assert client.socket.session_reused


# --- what is not TLS, or not soon enough

def test_plain_http_on_a_tls_port_is_told_so(lab, proxy):
    response = lab.client(proxy).get()
    assert response.status == 400 and "https://" in response.text and response.get("connection") == "close"
    eventually(lambda: handshakes(proxy, "plain") == 1)
    assert not [1 for (name, _), value in proxy.api.metrics().items() if name == "http_requests_total" and value]


def test_what_is_no_tls_at_all_is_closed(lab, proxy):
    client = lab.client(proxy)
    client.send(b"\x00\x01\x02\x03\x04\x05\x06\x07")
    assert client.is_closed(10) or client._source.buffer.startswith(b"HTTP/1.1 400")
    eventually(lambda: handshakes(proxy, "plain") == 1)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_slow_handshake_is_closed(lab, pki, sent):
    proxy = lab.proxy(lab.origin(serve(echo)), listener={**tls(pki.server), "timeouts": {"tls_handshake": "200ms"}})
    client = lab.client(proxy)
    client.send(sent)
    assert client.is_closed(10)
    eventually(lambda: handshakes(proxy, "timeout") == 1)


def test_clients_that_leave_in_the_middle_are_counted_and_hurt_nobody(lab, proxy, pki):
    for sent in (b"", b"\x16\x03\x01"):
        with socket.create_connection(tuple(proxy.address.split(":"))) as raw:
            raw.sendall(sent)
    eventually(lambda: handshakes(proxy, "closed") == 2)
    assert lab.client(proxy, tls=pki.authority.client()).get().status == 200


def test_more_handshakes_than_allowed_wait_for_their_turn(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener={**tls(pki.server), "limits": {"tls_handshakes": 20}})
    statuses = in_parallel(8, lambda: status_of_one(proxy, pki))
    assert statuses == [200] * 8
    assert handshakes(proxy, "ok") == 8 and handshakes(proxy, "limited") == 0


def test_and_are_closed_when_it_would_come_too_late(lab, pki):
    proxy = lab.proxy(lab.origin(serve(echo)), listener={**tls(pki.server), "limits": {"tls_handshakes": 1},
                                                         "timeouts": {"tls_handshake": "1500ms"}})

    def attempt():
        try:
            return status_of_one(proxy, pki)
        except (OSError, AssertionError):
            return 0
    statuses = in_parallel(8, attempt)
    assert 200 in statuses and 0 in statuses, statuses
    eventually(lambda: handshakes(proxy, "limited") >= 1)


def status_of_one(proxy, pki):
    """A connection of its own."""
    with Client(proxy.address, tls=pki.authority.client(), timeout=40) as client:
        return client.get().status


def in_parallel(count, act):
    results = []
    threads = [threading.Thread(target=lambda: results.append(act())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


# --- ends

def test_a_body_that_ends_with_the_connection_ends_with_close_notify(lab, pki):
    proxy = lab.proxy(lab.origin(lambda c: (c.read_request(), c.send("HTTP/1.1 200 OK\r\n\r\nall of it"))), listener=tls(pki.server))
    client = lab.client(proxy, tls=pki.authority.client())
    response = client.get(fields="Connection: close\r\n")
    assert response.body == b"all of it" and response.complete


def test_a_tls_origin_that_cuts_such_a_body_is_not_believed(lab, pki):
    """An end without close_notify: somebody else may have cut it."""
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\n\r\nhalf of")
        raw = socket.socket(fileno=os.dup(connection.socket.fileno()))
        raw.shutdown(socket.SHUT_WR)
        raw.close()
        connection.over.wait(10)
    origin = lab.origin(script, tls=pki.authority.server(pki.server))
    proxy = lab.proxy(origin, cluster={"tls": {"ca": pki.authority.ca}})
    client = lab.client(proxy)
    response = client.get("/", fields="Connection: close\r\n")
    assert response.body in (b"", b"half of") and not response.complete
    origin.connections[0].over.set()


def test_and_one_that_ends_properly_is(lab, pki):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\n\r\nall of it")
        connection.socket.unwrap()
    proxy = lab.proxy(lab.origin(script, tls=pki.authority.server(pki.server)), cluster={"tls": {"ca": pki.authority.ca}})
    response = lab.client(proxy).get(fields="Connection: close\r\n")
    assert response.body == b"all of it" and response.complete


def test_a_client_that_says_goodbye_inside_tls_has_left(lab, pki):
    begun = threading.Event()

    def script(connection):
        connection.read_request()
        begun.set()
        assert connection.wait_for_end() is not None
    proxy = lab.proxy(lab.origin(script), listener=tls(pki.server), route={"retry": {"retries": 0}})
    client = lab.client(proxy, tls=pki.authority.client())
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert begun.wait(10)
    client.socket.settimeout(1)
    try:
        client.socket.unwrap()  # close_notify, and no FIN
    except (OSError, ssl.SSLError):
        pass
    proxy.api.counts(1, "http_requests_total", route="all", status="499")


# --- large bodies

def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("down, up", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_go_both_ways_unharmed(lab, pki, down, up, chunked):
    body, answer = os.urandom(3 * MIB + 17), os.urandom(5 * MIB + 4711)

    def script(connection):
        while True:
            request = connection.read_request()
            if request is None:
                return
            assert digest(request.body) == digest(body)
            if chunked:
                parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in (answer[i:i + 70000] for i in range(0, len(answer), 70000))]
                connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\n\r\n")
            else:
                connection.send(ok(answer))
    origin = lab.origin(script, tls=pki.authority.server(pki.server) if up else None, record=False)
    proxy = lab.proxy(origin, listener=tls(pki.server) if down else None, cluster={"tls": {"ca": pki.authority.ca}} if up else None)
    client = lab.client(proxy, tls=pki.authority.client() if down else None, timeout=40)
    for _ in range(2):
        if chunked:
            parts = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[i:i + 33333] for i in range(0, len(body), 33333))]
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\n\r\n")
            response = client.read_response()
        else:
            response = client.post(body)
        assert response.status == 200 and response.complete and response.sha256 == digest(answer)


def test_a_client_that_does_not_read_is_given_up_and_one_that_reads_slowly_is_not(lab, pki):
    proxy = lab.proxy(lab.origin(serve(ok(b"x" * (32 * MIB)))), listener={**tls(pki.server), "timeouts": {"body_idle": "300ms"}})
    stuck = lab.client(proxy, tls=pki.authority.client(), receive_buffer=8192)
    stuck.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: proxy.api.metric("tidegate_downstream_connections") == 0, "the connection given up", 20)
    slow = lab.client(proxy, tls=pki.authority.client(), receive_buffer=65536)
    response = slow.get(fields="Connection: close\r\n")
    assert response.size == 32 * MIB and response.complete


# --- endpoints

def upstream(lab, pki, origin, **options):
    return lab.proxy(origin, cluster={"tls": {"ca": pki.authority.ca, **options.pop("tls", {})}, **options})


def test_idle_connections_to_a_tls_endpoint_are_used_again(lab, pki):
    proxy = upstream(lab, pki, lab.nginx("old", tls=pki.server))
    client = lab.client(proxy)
    connections = {client.get("/tls").text.split()[-1] for _ in range(30)}
    assert len(connections) == 1 and upstream_handshakes(proxy, "ok") == 1
    assert client.post(b"x" * 100_000, "/upload").text == "100000"  # reused only when certain that it is alive
    assert upstream_handshakes(proxy, "ok") == 1


@pytest.mark.several_threads
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_endpoints_of_one_version_are_spoken_to_and_sessions_resumed(lab, pki, version):
    origin = lab.nginx("old", tls=pki.server, tls_lines=f"ssl_protocols {version}; ssl_session_cache shared:a:1m;")
    proxy = upstream(lab, pki, origin, pool={"requests_per_connection": 1})
    client = lab.client(proxy)
    texts = [client.get("/tls").text.split() for _ in range(6)]
    assert {text[0] for text in texts} == {version}
    assert [text[1] for text in texts] == ["."] + ["r"] * 5, texts
    proxy.api.counts(5, "tidegate_upstream_tls_resumptions_total", upstream="old")


def test_the_name_that_is_asked_for_is_the_one_that_is_verified(lab, pki):
    origin = lab.nginx("old", tls=pki.server)
    proxy = upstream(lab, pki, origin, tls={"sni": "api.example.com"})
    assert lab.client(proxy).get("/tls").text.split()[2] == "api.example.com"


def test_an_endpoint_by_name_is_asked_for_and_verified_by_that_name(lab, pki):
    origin = lab.nginx("old", tls=pki.server)
    proxy = upstream(lab, pki, f"localhost:{origin.port}")
    eventually(lambda: lab.client(proxy).get("/tls").text.split()[2] == "localhost")


@pytest.mark.parametrize("what, message", [
    ("name", "certificate verify failed: IP address mismatch (wanted 127.0.0.1; the certificate is for DNS:other.example.com)"),
    ("sni", "certificate verify failed: hostname mismatch (wanted shop.example.com; the certificate is for DNS:api.example.com, "),
    ("authority", "certificate verify failed: unable to get local issuer certificate (CN=test)"),
    ("expired", "certificate verify failed: certificate has expired (CN=test)"),
    ("plain", "the peer does not speak TLS"),
    ("silent", "the handshake took too long"),
    ("closed", "the peer closed the connection before the handshake was done"),
])
def test_an_endpoint_that_is_not_who_it_should_be_gets_nothing_and_the_log_says_why(lab, pki, what, message):
    identity = {"name": pki.other_name, "expired": pki.expired}.get(what, pki.server)
    server = pki.authority.server(identity)
    if what == "plain":
        origin = lab.origin(lambda c: (c.send(ok("not yours")), c.wait_for_end()))
    elif what == "silent":
        origin = lab.origin(lambda c: c.wait_for_end())
    elif what == "closed":
        origin = lab.origin(lambda c: None)
    else:
        origin = lab.origin(serve(ok("not yours")), tls=server)
    options = {"tls": {"sni": "shop.example.com"} if what == "sni" else {}, "timeouts": {"connect": "500ms" if what == "silent" else "5s"}}
    if what == "authority":
        options["tls"] = {"ca": pki.stranger.ca}
    proxy = upstream(lab, pki, origin, **options)
    response = lab.client(proxy).get()
    assert response.status == 502 and "connect" in response.text
    proxy.logs(f"cluster old: TLS with {origin.address}: {message}")
    assert not origin.requests
    assert proxy.api.metric("tidegate_upstream_failures_total", reason="connect") >= 1
    assert sum(upstream_handshakes(proxy, result) for result in ("bad_certificate", "plain", "timeout", "closed")) >= 1


def test_without_verification_anybody_is_believed_and_validate_warns(lab, pki):
    proxy = upstream(lab, pki, lab.origin(serve(ok("x")), tls=pki.authority.server(pki.expired)), tls={"verify": False})
    assert lab.client(proxy).get().status == 200
    result = run_cli("validate", "--strict", "--config", proxy.config_path)
    assert result.returncode == 3 and "clusters.old.tls.verify: the endpoints' certificates are not verified" in result.stderr


def test_the_own_certificate_is_shown_to_endpoints_that_ask(lab, pki):
    origin = lab.nginx("old", tls=pki.server, tls_lines=f"ssl_verify_client on; ssl_client_certificate {pki.clients.ca};")
    proxy = upstream(lab, pki, origin, tls={"cert": pki.alice.cert, "key": pki.alice.key})
    assert "CN=alice" in lab.client(proxy).get("/tls").text


def test_an_endpoint_that_refuses_the_own_certificate_is_named(lab, pki):
    server = pki.authority.server(pki.server)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(pki.clients.ca)
    proxy = upstream(lab, pki, lab.origin(serve(ok("x")), tls=server), tls={"cert": pki.mallory.cert, "key": pki.mallory.key})
    assert lab.client(proxy).get().status == 502
    proxy.logs("unknown ca")


@pytest.mark.several_threads
def test_copies_go_over_tls_too(lab, pki):
    new = lab.origin(serve(ok("new")), tls=pki.authority.server(pki.server))
    proxy = lab.proxy(lab.origin(serve(ok("old"))), new, route={"mirror": {}}, listener=tls(pki.server),
                      new_cluster={"tls": {"ca": pki.authority.ca}}, cluster={})
    client = lab.client(proxy, tls=pki.authority.client())
    for _ in range(5):
        assert client.get().text == "old"
    proxy.api.counts(5, "tidegate_mirror_requests_total", result="mirrored")
    assert dict(new.requests[0].fields)["x-forwarded-proto"] == "https"


# --- files that change

@pytest.fixture
def moving(lab, pki, tmp_path):
    """A proxy whose certificate may be replaced: .install(identity)."""
    class Moving:
        folder = tmp_path / "in-use"
        cert, key = str(folder / "tls.crt"), str(folder / "tls.key")

        def install(self, identity=None, cert=None, key=None):
            for source, target in ((cert or identity.cert, self.cert), (key or identity.key, self.key)):
                shutil.copy(source, target + ".new")
                os.rename(target + ".new", target)

        def serial(self):
            return subject_served(self.proxy, pki)

        def serves(self, identity):
            eventually(lambda: self.serial() == identity.serial, "the certificate served")

        def reloads(self, result):
            return self.proxy.api.metric("tidegate_tls_reloads_total", result=result)
    made = Moving()
    made.folder.mkdir()
    made.install(pki.server)
    made.proxy = lab.proxy(lab.origin(serve(echo)), listener={"tls": {"certificates": [{"cert": made.cert, "key": made.key}]}})
    return made


def not_after(proxy):
    return proxy.api.metric("tidegate_tls_cert_not_after_timestamp_seconds", used_by="listener/listener-1")


@pytest.mark.several_threads
def test_a_certificate_that_is_replaced_is_used_by_new_connections_and_old_ones_go_on(lab, pki, moving):
    before = lab.client(moving.proxy, tls=pki.authority.client())
    assert before.get().status == 200
    renewed = pki.authority.issue(days=300)
    moving.install(renewed)
    moving.serves(renewed)
    assert before.get().status == 200
    moving.proxy.logs("tls.crt was read again")
    assert moving.reloads("ok") >= 1
    assert not_after(moving.proxy) == renewed.not_after


@pytest.mark.several_threads
def test_kubernetes_swap_of_a_link_is_noticed(lab, pki, tmp_path):
    def revision(name, identity):
        folder = tmp_path / "secret" / name
        folder.mkdir(parents=True)
        shutil.copy(identity.cert, folder / "tls.crt")
        shutil.copy(identity.key, folder / "tls.key")
    revision("..2026_1", pki.server)
    secret = tmp_path / "secret"
    os.symlink("..2026_1", secret / "..data")
    for name in ("tls.crt", "tls.key"):
        os.symlink(f"..data/{name}", secret / name)
    files = {"cert": str(secret / "tls.crt"), "key": str(secret / "tls.key")}
    proxy = lab.proxy(lab.origin(serve(echo)), listener={"tls": {"certificates": [files]}})
    for turn in range(2, 4):
        renewed = pki.authority.issue()
        revision(f"..2026_{turn}", renewed)
        os.symlink(f"..2026_{turn}", secret / "..data_tmp")
        os.rename(secret / "..data_tmp", secret / "..data")
        shutil.rmtree(secret / f"..2026_{turn - 1}")
        eventually(lambda: subject_served(proxy, pki) == renewed.serial, "the new secret")


@pytest.mark.several_threads
@pytest.mark.parametrize("what, message", [
    ("key", "tls.key: is not the key of the certificate in "),
    ("garbage", "tls.crt: holds no certificate in PEM form"),
    ("missing", "tls.crt: cannot be read: No such file or directory"),
    ("expired", "tls.crt: the certificate expired on "),
    ("passphrase", "tls.key: the key is encrypted with a passphrase"),
])
def test_a_bad_pair_changes_nothing_and_is_told_once(lab, pki, moving, tmp_path, what, message):
    if what == "key":
        moving.install(cert=pki.server.cert, key=pki.wild.key)
    elif what == "garbage":
        (tmp_path / "garbage").write_text("-----BEGIN NOTHING-----\n")
        moving.install(cert=str(tmp_path / "garbage"), key=pki.server.key)
    elif what == "missing":
        os.unlink(moving.cert)
    elif what == "expired":
        moving.install(pki.expired)
    else:
        openssl("ec", "-in", pki.server.key, "-aes256", "-passout", "pass:secret", "-out", tmp_path / "locked")
        moving.install(cert=pki.server.cert, key=str(tmp_path / "locked"))
    moving.proxy.logs(message)
    moving.proxy.logs("what was read before stays in use")
    assert moving.serial() == pki.server.serial
    assert lab.client(moving.proxy, tls=pki.authority.client()).get().status == 200
    eventually(lambda: moving.reloads("failed") == 1)
    moving.proxy.signal(1)  # SIGHUP looks again; there is nothing new to say
    eventually(lambda: moving.proxy.api.metric("tidegate_config_reloads_total") >= 1, "the reload")
    renewed = pki.authority.issue()
    moving.install(renewed)
    moving.serves(renewed)
    assert moving.proxy.output.count("what was read before stays in use") <= 2  # and perhaps one for half of the new pair


@pytest.mark.several_threads
def test_a_bad_pair_does_not_hold_up_a_good_one(lab, pki, tmp_path):
    first, second = (pki.authority.issue("DNS:" + name, stem=tmp_path / name) for name in ("one.test", "two.test"))
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(first, second))
    (tmp_path / "one.test.key").write_text("nothing")
    renewed = pki.authority.issue("DNS:two.test")
    for source, target in ((renewed.cert, second.cert), (renewed.key, second.key)):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)
    eventually(lambda: subject_served(proxy, pki, "two.test") == renewed.serial)
    assert subject_served(proxy, pki, "one.test") == first.serial


@pytest.mark.several_threads
def test_no_request_fails_while_certificates_change_under_load(lab, pki, moving):
    identities = [pki.authority.issue() for _ in range(4)]
    stop, failures, done = threading.Event(), [], [0]

    def reconnect():
        context = pki.authority.client()
        while not stop.is_set():
            try:
                with Client(moving.proxy.address, tls=context) as client:
                    assert client.get().status == 200
                    done[0] += 1
            except (OSError, AssertionError) as error:
                failures.append(error)
    threads = [threading.Thread(target=reconnect) for _ in range(2)]
    with WrkLoad(f"https://{moving.proxy.address}/", connections=4) as load:
        for thread in threads:
            thread.start()
        for turn in range(8):
            moving.install(identities[turn % 4])
            moving.serves(identities[turn % 4])
        eventually(lambda: done[0] > 50, "connections")
        stop.set()
        for thread in threads:
            thread.join(20)
    result = load.stop()
    assert not failures and result.failed == 0 and result.requests > 100, (failures[:3], result.text)


@pytest.mark.several_threads
def test_the_authorities_and_the_own_certificate_of_an_endpoint_are_re_read(lab, pki, tmp_path):
    trusted = tmp_path / "ca.pem"
    shutil.copy(pki.stranger.ca, trusted)
    origin = lab.origin(serve(ok("x")), tls=pki.authority.server(pki.server))
    proxy = upstream(lab, pki, origin, tls={"ca": str(trusted)})
    client = lab.client(proxy)
    assert client.get().status == 502
    shutil.copy(pki.authority.ca, tmp_path / "ca.new")
    os.rename(tmp_path / "ca.new", trusted)
    eventually(lambda: client.get().status == 200, "the new authority trusted")
    proxy.logs("cluster old: its TLS files were read again")


@pytest.mark.several_threads
def test_the_authorities_of_clients_are_re_read_and_old_sessions_do_not_get_around_it(lab, pki, tmp_path):
    trusted = tmp_path / "clients.pem"
    shutil.copy(pki.clients.ca, trusted)
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.server, client_ca=str(trusted)))
    context = pki.authority.client(pki.alice, most=V12)
    with Client(proxy.address, tls=context) as client:
        assert client.get().status == 200
        session = client.socket.session
    shutil.copy(pki.stranger.ca, tmp_path / "new")
    os.rename(tmp_path / "new", trusted)
    proxy.logs("clients.pem was read again")
    with pytest.raises(ssl.SSLError):
        Client(proxy.address, tls=context, session=session)


# --- the start

def config_with(tmp_path, cert, key, **more):
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps({
        "listeners": [{"address": "127.0.0.1:0", "tls": {"certificates": [{"cert": str(cert), "key": str(key)}], **more}}],
        "clusters": {"old": {"endpoints": ["127.0.0.1:1"]}, "new": {"endpoints": ["127.0.0.1:2"]}},
        "routes": [{"name": "all"}], "admin": {"address": "127.0.0.1:0"}, "state": {"path": str(tmp_path / "t.db")}}, indent=1))
    return str(path)


@pytest.mark.parametrize("what, place, message", [
    ("missing", "cert", "cannot be read: No such file or directory"),
    ("garbage", "key", "holds no private key in PEM form"),
    ("key", "key", "is not the key of the certificate in "),
    ("passphrase", "key", "the key is encrypted with a passphrase, and nobody is there to be asked"),
    ("short", "cert", "cannot be used: ee key too small"),
])
def test_bad_files_are_told_by_validate_and_end_a_start(pki, tmp_path, what, place, message):
    cert, key = pki.server.cert, pki.server.key
    if what == "missing":
        cert = "/nonexistent/tls.crt"
    elif what == "garbage":
        key = tmp_path / "key"
        key.write_text("nothing")
    elif what == "key":
        key = pki.wild.key
    elif what == "passphrase":
        key = tmp_path / "locked"
        openssl("ec", "-in", pki.server.key, "-aes256", "-passout", "pass:secret", "-out", key)
    else:
        cert, key = tmp_path / "short.crt", tmp_path / "short.key"
        openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=short")
    path = config_with(tmp_path, cert, key)
    result = run_cli("validate", "--config", path)
    assert result.returncode == 1
    assert re.search(rf":\d+:\d+: listeners\[0\].tls.certificates\[0\].{place}: \S+: {re.escape(message)}", result.stderr), result.stderr
    result = run_cli("run", "--config", path)
    assert result.returncode == 78 and message in result.stderr


def test_an_expired_certificate_is_served_with_a_warning(lab, pki, tmp_path):
    path = config_with(tmp_path, pki.expired.cert, pki.expired.key)
    result = run_cli("validate", "--strict", "--config", path)
    assert result.returncode == 3 and "warning: listeners[0].tls.certificates[0].cert" in result.stderr
    assert "the certificate expired on " in result.stderr
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.expired))
    assert "the certificate expired on " in proxy.output
    assert curl("-k", f"https://{proxy.address}/").status == 200
    assert not_after(proxy) == pki.expired.not_after


def test_paths_are_shown_and_keys_are_not(proxy, pki):
    answer = proxy.api.get("/api/v1/config")
    assert pki.server.key in answer.text
    with open(pki.server.key) as file:
        secret = file.read().splitlines()[1]
    assert secret not in answer.text and "BEGIN" not in answer.text


@pytest.mark.several_threads
def test_many_handshakes_at_once_do_not_hold_up_a_connection_that_is_there(lab, pki):
    """Nothing is timed: everything has to get its turn, on one worker."""
    proxy = lab.proxy(lab.origin(serve(echo)), listener=tls(pki.rsa))
    steady = lab.client(proxy, tls=pki.authority.client())
    assert steady.get().status == 200
    statuses = in_parallel(40, lambda: status_of_one(proxy, pki))
    assert statuses == [200] * 40
    assert steady.get().status == 200
