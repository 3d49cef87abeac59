"""The PROXY protocol at both ends: accepted from those who may send it and never guessed, sent to those who want to know."""
import collections
import hashlib
import json
import os
import socket
import ssl
import struct
import threading

import h2.connection
import h2.events
import pytest

from harness import Authority, Client, Haproxy, NginxServer, curl, eventually, ok, serve
from harness.proxies import HAPROXY_TELLS

pytestmark = pytest.mark.one_worker

KIB, MIB = 1024, 1024 * 1024
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def v2(command=0x21, family=0x11, block=None):
    if block is None:
        block = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.7") + struct.pack(">HH", 56324, 443)
    return SIGNATURE + struct.pack(">BBH", command, family, len(block)) + block


def six(source="2001:db8::1"):
    return v2(family=0x21, block=socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, "::1") +
              struct.pack(">HH", 4000, 80))


def tell(request):
    """What a backend learns about the client."""
    return ok(f"{request.get('x-forwarded-for')}|{request.get('x-forwarded-proto')}")


def accepting(lab, origin=None, trusted=("127.0.0.1",), listener=None, **options):
    return lab.proxy(origin or lab.origin(serve(tell)), listener={"proxy_protocol": "accept", **(listener or {})},
                     trusted_proxies=list(trusted), log={"access": {"path": str(lab.directory / "access.log")}}, **options)


def logged(lab, count):
    path = lab.directory / "access.log"

    def lines():
        records = [json.loads(line) for line in path.read_text().splitlines()] if os.path.exists(path) else []
        return records if len(records) >= count else None

    return eventually(lines, f"{count} lines in the access log")


def over_http2(client, count):
    """So many requests at once, by prior knowledge; again on the same connection. @return the bodies."""
    if not hasattr(client, "http2"):
        client.http2 = h2.connection.H2Connection()
        client.http2.initiate_connection()
    talk, bodies, open_streams = client.http2, {}, set()
    for _ in range(count):
        stream = talk.get_next_available_stream_id()
        talk.send_headers(stream, [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")], end_stream=True)
        bodies[stream] = b""
        open_streams.add(stream)
    while open_streams:
        client.send(talk.data_to_send())
        for event in talk.receive_data(client.socket.recv(65536)):
            if isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
            elif isinstance(event, h2.events.StreamEnded):
                open_streams.discard(event.stream_id)
            assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)), event
    return list(bodies.values())


def refused(tidegate, **reasons):
    for reason in ("untrusted", "malformed", "timeout", "incomplete"):
        tidegate.api.counts(reasons.get(reason, 0), "tidegate_proxy_protocol_refused_total", reason=reason)


def ask(tidegate, header, fields=""):
    with Client(tidegate.address) as client:
        client.send(header)
        return client.get("/", fields=fields).text


# --- accepted

@pytest.mark.parametrize("header, seen", [(V1, "192.0.2.1"), (v2(), "192.0.2.1"), (six(), "2001:db8::1"),
                                          (b"PROXY TCP6 ::ffff:192.0.2.9 ::1 1 2\r\n", "192.0.2.9")])
def test_the_header_s_source_is_the_client_for_the_upstream_and_the_log(lab, header, seen):
    tidegate = accepting(lab)
    assert ask(tidegate, header) == f"{seen}|http"
    address = logged(lab, 1)[0]["downstream_remote_address"]
    assert address.strip("[").startswith(seen) and not address.endswith(":0")
    refused(tidegate)


@pytest.mark.parametrize("header", [V1, v2()], ids=["v1", "v2"])
def test_a_header_may_be_cut_anywhere_and_the_request_behind_it_too(lab, header):
    tidegate = accepting(lab)
    whole = header + GET
    for cut in range(1, len(whole), 3):
        with Client(tidegate.address) as client:
            client.send(whole[:cut])
            client.send(whole[cut:])
            assert client.read_response().text == "192.0.2.1|http", cut
    with Client(tidegate.address) as client:
        client.send_bytewise(whole)
        assert client.read_response().text == "192.0.2.1|http"


@pytest.mark.parametrize("header", [V1, v2(), v2(block=v2()[16:] + b"\x04\x03\xe8" + b"n" * 1000)], ids=["v1", "v2", "tlv"])
def test_everything_behind_the_header_is_the_client_s(lab, header):
    """A pipeline in the header's own segment, then more on the same connection."""
    tidegate = accepting(lab)
    client = lab.client(tidegate)
    client.send(header + GET * 3)
    assert [client.read_response().text for _ in range(3)] == ["192.0.2.1|http"] * 3
    for _ in range(3):
        assert client.get("/").text == "192.0.2.1|http"
    client.send(V1 + GET)      # a second one is no request
    assert client.read_response().status == 400


def test_a_large_upload_in_the_header_s_own_segments_arrives_whole(lab):
    body = bytes(i % 251 for i in range(251 * 1000)) * 32

    def script(connection):
        while request := connection.read_head():
            digest = hashlib.sha256()
            connection.read_body(request, keep=False, on_data=digest.update)
            connection.send(ok(f"{request.get('x-forwarded-for')} {digest.hexdigest()}"))

    tidegate = accepting(lab, lab.origin(script, record=False))
    for header in (V1, v2()):
        client = lab.client(tidegate)
        client.send(header + b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert client.read_response().text == f"192.0.2.1 {hashlib.sha256(body).hexdigest()}"


def test_x_forwarded_for_is_believed_of_the_header_s_source_and_not_of_who_sent_it(lab):
    tidegate = accepting(lab, trusted=["127.0.0.1", "10.0.0.0/8"])
    fields = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n"
    assert ask(tidegate, V1, fields) == "192.0.2.1|http"
    assert ask(tidegate, b"PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\n", fields) == "203.0.113.5, 10.1.2.3|https"


def test_a_client_that_cannot_be_named_has_the_sender_s_address_and_not_its_trust(lab):
    tidegate = accepting(lab)
    fields = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n"
    for header in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN 10.1.1.1 10.1.1.2 1 2\r\n", v2(family=0, block=b""), v2(family=0x12)):
        assert ask(tidegate, header, fields) == "127.0.0.1|http"
    # A unix-domain socket of another machine is nobody either.
    assert ask(tidegate, v2(family=0x31, block=b"/run/a".ljust(108, b"\0") * 2), fields) == "unix:|http"
    # LOCAL is the sender itself.
    assert ask(tidegate, v2(command=0x20, family=0, block=b""), fields) == "203.0.113.5, 127.0.0.1|https"
    assert ask(tidegate, v2(command=0x20), fields) == "203.0.113.5, 127.0.0.1|https"


@pytest.mark.parametrize("bytes_sent", [GET, b"\x16\x03\x01\x02\x00\x01", b"\0", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n" + GET,
                                        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n" + GET, b"PROXY " + b"x" * 200, v2(command=0x22) + GET,
                                        v2(block=b"short") + GET, SIGNATURE + b"\x21\x11\xff\xff", b"\r\n\r\n" + GET],
                         ids=range(10))
def test_a_trusted_peer_that_sends_something_else_is_closed_without_an_answer(lab, bytes_sent):
    tidegate = accepting(lab)
    client = lab.client(tidegate)
    client.try_send(bytes_sent)
    assert client.is_closed(20)
    refused(tidegate, malformed=1)
    tidegate.logs("its PROXY header is malformed: ")
    assert ask(tidegate, V1) == "192.0.2.1|http"


def test_a_trusted_peer_that_sends_no_header_in_time_is_closed(lab):
    tidegate = accepting(lab, listener={"timeouts": {"header": "150ms"}})
    silent, slow = lab.client(tidegate), lab.client(tidegate)
    slow.send(V1[:-1])
    assert silent.is_closed(20) and slow.is_closed(20)
    refused(tidegate, timeout=2)
    tidegate.logs("its PROXY header did not come within timeouts.header")


def test_the_header_s_time_is_its_own_and_the_request_has_one_too(lab):
    tidegate = accepting(lab, listener={"timeouts": {"header": "300ms"}})
    client = lab.client(tidegate)
    client.send(V1 + GET[:-2])
    assert client.read_response().status == 408
    refused(tidegate)


def test_an_untrusted_peer_is_closed_whatever_it_sends(lab):
    tidegate = accepting(lab, trusted=["10.0.0.0/8", "unix"])
    for header in (V1, GET, b""):
        client = lab.client(tidegate)
        client.try_send(header)
        assert client.is_closed(20)
    refused(tidegate, untrusted=3)
    tidegate.logs("a PROXY header is required here, and it is not in trusted_proxies")


def test_a_header_that_is_cut_off_is_counted_and_a_port_check_is_not(lab):
    tidegate = accepting(lab)
    for _ in range(3):
        Client(tidegate.address).close()
    client = lab.client(tidegate)
    client.send(V1[:20])
    client.fin()
    assert client.is_closed(20)
    refused(tidegate, incomplete=1)
    tidegate.logs("closed the connection of")
    assert tidegate.output.count("closed the connection of") == 1


@pytest.mark.several_threads
def test_many_refusals_are_one_line_in_the_log(lab):
    tidegate = accepting(lab)
    for _ in range(50):
        client = lab.client(tidegate)
        client.try_send(GET)
        assert client.is_closed(20)
    refused(tidegate, malformed=50)
    assert tidegate.output.count("closed the connection of") < 10


@pytest.mark.several_threads
def test_a_connection_that_waits_for_its_header_does_not_hold_up_the_end(lab):
    tidegate = accepting(lab, listener={"timeouts": {"header": "1h"}})
    silent, half = lab.client(tidegate), lab.client(tidegate)
    half.send(V1[:10])
    tidegate.api.counts(2, "tidegate_downstream_connections")
    assert tidegate.terminate(20) == 0
    assert silent.is_closed(20) and half.is_closed(20)


@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_haproxy_sends_it(lab, how):
    tidegate = accepting(lab)
    haproxy = lab.proxy_sender(tidegate.address, how)
    client = lab.client(haproxy.address)
    port = client.socket.getsockname()[1]
    for _ in range(3):
        assert client.get("/").text == "127.0.0.1|http"
    assert logged(lab, 3)[0]["downstream_remote_address"] == f"127.0.0.1:{port}"
    refused(tidegate)


def test_haproxy_s_health_checks_are_answered(lab):
    tidegate = accepting(lab)
    more = f"backend tidegate\n  option httpchk GET /\n  server one {tidegate.address} check check-send-proxy inter 100ms send-proxy-v2\n"
    haproxy = lab.haproxy("  default_backend tidegate", more=more)
    eventually(lambda: (r := logged(lab, 2)) and r, "two health checks")
    assert lab.client(haproxy.address).get("/").text == "127.0.0.1|http"
    refused(tidegate)


def test_curl_sends_it(lab):
    tidegate = accepting(lab)
    answer = curl("--haproxy-protocol", tidegate.url(), tidegate.url("/again"))
    assert answer.status == 200 and b"127.0.0.1|http" in answer.body
    assert curl(tidegate.url()).exit_code in (52, 56)      # empty reply, or reset
    refused(tidegate, malformed=1)


@pytest.mark.several_threads
def test_http2_may_come_behind_the_header(lab):
    tidegate = accepting(lab, listener={"h2c": True})
    answer = curl("--haproxy-protocol", "--http2-prior-knowledge", tidegate.url())
    assert (answer.status, answer.body) == (200, b"127.0.0.1|http")
    for header in (V1, v2()):
        client = lab.client(tidegate)
        client.send(header)
        assert over_http2(client, 5) == [b"192.0.2.1|http"] * 5
    assert ask(tidegate, V1) == "192.0.2.1|http"
    refused(tidegate)


@pytest.fixture
def identity(lab):
    return Authority(lab.directory / "authority").issue()


@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2"])
def test_tls_comes_behind_the_header(lab, identity, how):
    """curl -> HAProxy, which passes TLS on as it is -> Tidegate; and a ClientHello in the header's own segment."""
    tidegate = accepting(lab, listener={"tls": {"certificates": [identity.files()]}})
    haproxy = lab.haproxy("  mode tcp\n  default_backend tidegate",
                          more=f"backend tidegate\n  mode tcp\n  server one {tidegate.address} {how}\n")
    for version in ("--http1.1", "--http2"):
        answer = curl("-k", version, f"https://{haproxy.address}/")
        assert (answer.status, answer.body) == (200, b"127.0.0.1|https")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for header in (V1, v2()):
        raw = Client(tidegate.address)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = context.wrap_bio(incoming, outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            inner.do_handshake()
        raw.send(header + outgoing.read())
        done = False
        while not done:
            incoming.write(raw.socket.recv(65536))
            try:
                inner.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
        inner.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        raw.send(outgoing.read())
        text = b""
        while data := raw.socket.recv(65536):
            incoming.write(data)
        incoming.write_eof()
        try:
            while part := inner.read(65536):
                text += part
        except (ssl.SSLWantReadError, ssl.SSLEOFError):
            pass
        assert text.endswith(b"192.0.2.1|https")
        raw.close()
    client = lab.client(tidegate)
    client.try_send(b"\x16\x03\x01\x02\x00\x01")      # TLS without a header
    assert client.is_closed(20)
    refused(tidegate, malformed=1)


# --- sent

def read_header(connection):
    """@return the header's bytes in front of a connection that was accepted."""
    first = connection._source.take(1)
    if first == b"P":
        return first + connection._source.until(b"\r\n")
    fixed = first + connection._source.take(15)
    return fixed + connection._source.take(struct.unpack(">H", fixed[14:])[0])


def read_ends(header):
    """"v1 SOURCE DESTINATION", "v2 ..." or "v1 unknown", "v2 local"."""
    if header.startswith(b"PROXY"):
        words = header.decode().split()
        return "v1 unknown" if words[1] == "UNKNOWN" else f"v1 {words[2]}:{words[4]} {words[3]}:{words[5]}"
    if header[12] == 0x20:
        return "v2 local"
    assert header[12:16] == b"\x21\x11\x00\x0c", header
    source, destination, from_port, to_port = struct.unpack(">4s4sHH", header[16:])
    return f"v2 {socket.inet_ntoa(source)}:{from_port} {socket.inet_ntoa(destination)}:{to_port}"


def announced(connection):
    """A script: answers what the header of its connection said, and which connection it is."""
    said = read_header(connection)
    while connection.read_request():
        connection.send(ok(f"{read_ends(said)} #{connection.index}"))


def ends_of(client, tidegate):
    return f"127.0.0.1:{client.socket.getsockname()[1]} {tidegate.address}"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_upstream_is_told_both_ends_of_the_client_s_connection_before_the_request(lab, version):
    tidegate = lab.proxy(lab.origin(announced), cluster={"proxy_protocol": version})
    for _ in range(3):
        client = lab.client(tidegate)
        assert client.get("/").text.startswith(f"{version} {ends_of(client, tidegate)} #")


@pytest.mark.parametrize("kind", [Haproxy, NginxServer])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_real_servers_receive_it(lab, version, kind):
    tidegate = lab.proxy(lab.proxy_receiver(kind), cluster={"proxy_protocol": version})
    client = lab.client(tidegate)
    expected = ends_of(client, tidegate).replace(":", " ")
    assert [client.get("/").text for _ in range(3)] == [expected] * 3


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("protocol", ["http1", "auto"])
def test_it_is_sent_before_tls_and_http2_is_not_offered_then(lab, identity, version, protocol):
    with open(f"{identity.stem}.pem", "w") as both:
        for path in (identity.cert, identity.key):
            with open(path) as part:
                both.write(part.read())
    receiver = lab.haproxy(HAPROXY_TELLS, options=f"accept-proxy ssl crt {identity.stem}.pem alpn h2,http/1.1")
    tidegate = lab.proxy(receiver, cluster={"proxy_protocol": version, "protocol": protocol, "tls": {"verify": False}})
    client = lab.client(tidegate)
    assert [client.get("/").text for _ in range(3)] == [ends_of(client, tidegate).replace(":", " ")] * 3
    tidegate.api.counts(1, "tidegate_upstream_connections", cluster="old")


@pytest.mark.parametrize("receives", ["v1", "v2"])
@pytest.mark.parametrize("sends", ["v1", "v2"])
def test_what_was_received_is_what_is_sent_on(lab, receives, sends):
    tidegate = accepting(lab, lab.origin(announced), cluster={"proxy_protocol": sends})
    assert ask(tidegate, V1 if receives == "v1" else v2()) == f"{sends} 192.0.2.1:56324 198.51.100.7:443 #0"
    local = v2(command=0x20) if receives == "v2" else b"PROXY UNKNOWN\r\n"
    with Client(tidegate.address) as client:
        client.send(local)
        assert client.get("/").text == f"{sends} {ends_of(client, tidegate)} #1"


def test_a_connection_that_was_announced_for_a_client_carries_no_other_s_requests(lab):
    origin = lab.origin(announced)
    tidegate = lab.proxy(origin, cluster={"proxy_protocol": "v1"})
    first, second = lab.client(tidegate), lab.client(tidegate)
    for _ in range(5):
        assert first.get("/").text == f"v1 {ends_of(first, tidegate)} #0"
        assert second.get("/").text == f"v1 {ends_of(second, tidegate)} #1"
    assert second.post(b"x" * 100000).text.endswith("#1")
    assert len(origin.connections) == 2
    first.close()
    eventually(lambda: origin.connections[0].over.is_set() or origin.open_connections() == 1, "its connection closed with it")
    assert second.get("/").text.endswith("#1")
    tidegate.api.counts(1, "tidegate_upstream_connections", cluster="old")


@pytest.mark.several_threads
def test_clients_of_one_worker_at_the_same_time_never_get_each_other_s(lab):
    origin = lab.origin(announced)
    tidegate = lab.proxy(origin, workers=2, cluster={"proxy_protocol": "v2"})
    wrong = []

    def run():
        for _ in range(10):
            with Client(tidegate.address, timeout=30) as client:
                for _ in range(5):
                    text = client.get("/").text
                    if not text.startswith(f"v2 {ends_of(client, tidegate)} #"):
                        wrong.append(text)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert not wrong and len(origin.connections) == 80
    eventually(lambda: origin.open_connections() == 0, "every connection closed with its client")


def test_the_streams_of_one_http2_client_share_what_was_announced_for_it(lab):
    """Each answer waits for all requests: the streams need a connection each, at the same time and one after the other."""
    together = threading.Barrier(4)

    def script(connection):
        said = read_header(connection)
        while connection.read_request():
            together.wait(20)
            connection.send(ok(f"{read_ends(said)} #{connection.index}"))

    origin = lab.origin(script)
    tidegate = lab.proxy(origin, listener={"h2c": True}, cluster={"proxy_protocol": "v1"}, route={"retry": {"retries": 0}})
    for number in range(2):
        with Client(tidegate.address) as client:
            said = over_http2(client, 4)
            expected = [f"v1 {ends_of(client, tidegate)} #{4 * number + i}".encode() for i in range(4)]
            assert sorted(said) == expected
            assert sorted(over_http2(client, 4)) == expected        # kept for it
    eventually(lambda: origin.open_connections() == 0, "every connection closed with its client")


def test_an_idle_connection_of_another_client_makes_room(lab):
    tidegate = lab.proxy(lab.origin(announced), cluster={"proxy_protocol": "v1", "pool": {"connections": 1}})
    clients = [lab.client(tidegate) for _ in range(3)]
    for i in range(6):
        assert clients[i % 3].get("/").text == f"v1 {ends_of(clients[i % 3], tidegate)} #{i}"


def test_a_connection_that_the_upstream_closed_is_made_anew_for_the_same_client(lab):
    def once(connection):
        said = read_header(connection)
        if connection.read_request():
            connection.send(ok(read_ends(said)))

    tidegate = lab.proxy(lab.origin(once), cluster={"proxy_protocol": "v1"}, route={"retry": {"retries": 0}})
    client = lab.client(tidegate)
    for _ in range(10):
        assert client.get("/").text == f"v1 {ends_of(client, tidegate)}"


@pytest.mark.several_threads
@pytest.mark.parametrize("version, own", [("v1", "v1 unknown"), ("v2", "v2 local")])
def test_copies_of_a_mirror_are_tidegate_s_own_and_share_their_connections(lab, version, own):
    old, new = lab.origin(announced), lab.origin(announced)
    tidegate = lab.proxy(old, new, cluster={"proxy_protocol": version}, route={"mirror": {"percent": 100}})
    for i in range(5):
        with Client(tidegate.address) as client:
            assert client.get("/").text == f"{version} {ends_of(client, tidegate)} #{i}"
        tidegate.api.counts(i + 1, "tidegate_mirror_requests_total", result="mirrored")
    assert len(new.connections) == 1 and len(new.requests) == 5
    assert read_ends(new.connections[0].received.split(b"GET")[0]) == own


@pytest.mark.several_threads
def test_the_split_is_exact_and_each_side_is_told_in_its_own_version(lab):
    tidegate = lab.proxy(lab.origin(announced), lab.origin(announced), weight=25, cluster={"proxy_protocol": "v1"},
                         new_cluster={"proxy_protocol": "v2"})
    client = lab.client(tidegate)
    said = collections.Counter(client.get("/").text for _ in range(200))
    ends = ends_of(client, tidegate)
    assert said[f"v2 {ends} #0"] in (49, 50, 51) and said[f"v1 {ends} #0"] == 200 - said[f"v2 {ends} #0"]


@pytest.mark.several_threads
def test_a_new_side_that_does_not_take_the_header_is_reverted_and_clients_see_nothing(lab):
    def script(connection):
        connection._source.take(1)
        connection.rst()

    tidegate = lab.proxy(lab.origin(announced), lab.origin(script), weight=50, cluster={"proxy_protocol": "v1"},
                         route={"gate": {"breaker": {"requests": 10, "for": "0s"}}})
    client = lab.client(tidegate)
    answers = [client.get("/").status for _ in range(100)]
    eventually(lambda: tidegate.api.route()["latched"], "the revert", 20)
    assert set(answers) == {200}
    assert len({client.get("/").status for _ in range(20)}) == 1


@pytest.mark.several_threads
def test_an_endpoint_that_is_left_out_gets_nothing_over_connections_that_were_announced_for_a_client(lab):
    def bare(name, status):
        def script(connection):
            connection._source.until(b"\r\n")       # the PROXY header
            serve(ok(name, status))(connection)
        return script

    bad, good = lab.origin(bare("bad", "500 Oops")), lab.origin(bare("good", "200 OK"))
    tidegate = lab.proxy(bad, route={"retry": {"retries": 0}, "gate": {"on_fail": "notify"}}, clusters={
        "old": {"endpoints": [bad.address, good.address], "proxy_protocol": "v1", "outlier": {"consecutive_errors": 1, "ejection": "1m"}},
        "new": {"endpoints": ["127.0.0.1:9"]}})
    clients = [lab.client(tidegate) for _ in range(8)]
    met = next(client for client in clients if client.get("/").text == "bad")
    tidegate.logs(f"{bad.address} is left out for ")
    assert [met.get("/").text for _ in range(3)] == ["good"] * 3
