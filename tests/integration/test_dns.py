"""Endpoints that are names: every address is used, the TTL is heeded, what changes is picked up without a failed request, and
whatever DNS does wrong, the last good answer stays. The name server is a script (harness/dns.py)."""
import socket
import struct
import threading
import time

import pytest

from harness import Load, WrkLoad, dns, eventually, make_config, ok, serve, stays
from harness.dns import A, AAAA, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, a, aaaa, cname

NAME = "api.test"
TOTAL = "tidegate_dns_resolutions_total"


def port_of(origin):
    return origin.address.rsplit(":", 1)[1]


def config_of(server, origin, timeout="200ms", **more):
    return make_config(f"{NAME}:{port_of(origin)}", dns={"servers": [server.address], "timeout": timeout}, **more)


def failures(tidegate):
    return sum(value for (name, labels), value in tidegate.api.metrics().items()
               if name == TOTAL and ("result", "success") not in labels)


def bodies(client, count):
    out = []
    for _ in range(count):
        response = client.get()
        assert response.status == 200, response
        out.append(response.text)
    return out


def warnings(tidegate):
    return [line for line in tidegate.lines if "cannot resolve" in line]


# --- answers

def test_all_addresses_are_used(lab):
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    origins = lab.origins(hosts)
    server = lab.name_server(*[a(host, 60) for host in hosts])
    tidegate = lab.tidegate(config_of(server, origins[0]))
    assert set(bodies(lab.client(tidegate), 100)) == set(hosts)
    assert tidegate.api.metric("tidegate_dns_addresses", cluster="old") == 3
    assert tidegate.api.metric(TOTAL, cluster="old", result="success") == 1


def test_a_name_is_asked_for_again_when_its_ttl_ends(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1", 2))
    lab.tidegate(config_of(server, origin))
    begun = time.monotonic()
    eventually(lambda: server.asked(NAME, A) == 3, "two more questions")
    assert time.monotonic() - begun > 2 * 2 * 0.9 - 0.5  # jitter, and the first was asked before the start's end


def test_a_long_ttl_is_not_asked_for_again(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1", 60))
    lab.tidegate(config_of(server, origin))
    assert server.asked(NAME, A) == server.asked(NAME, AAAA) == 1
    stays(lambda: server.asked() == 2, "no more questions", 2)


def test_a_ttl_of_zero_is_one_second(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1", 0))
    tidegate = lab.tidegate(config_of(server, origin))
    begun, before = time.monotonic(), server.asked(NAME, A)
    eventually(lambda: server.asked(NAME, A) >= before + 3, "it is asked all the same")
    assert time.monotonic() - begun > 2.0 - 0.1  # two whole periods lie between
    assert len(warnings(tidegate)) == 0


def test_the_least_ttl_of_a_chain_of_aliases_counts(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(cname("b.test", 1), cname("c.test", 300, "b.test"), a("127.0.0.1", 300, "c.test"))
    tidegate = lab.tidegate(config_of(server, origin))
    assert lab.client(tidegate).get().text == "127.0.0.1"
    eventually(lambda: server.asked(NAME, A) >= 3, "the alias is looked at again")


def test_a_truncated_answer_is_asked_for_over_tcp(lab):
    hosts = ["127.0.0.1", "127.0.0.2"]
    origins = lab.origins(hosts)
    server = lab.name_server()
    server.script = lambda q: q.reply([a(h, 60) for h in hosts] if q.tcp and q.type == A else [], truncated=not q.tcp)
    tidegate = lab.tidegate(config_of(server, origins[0]))
    assert set(bodies(lab.client(tidegate), 60)) == set(hosts)
    assert any(q.tcp for q in server.queries)


def test_of_300_addresses_64_are_used_and_a_rotation_is_no_change(lab):
    origin = lab.origin(serve(ok("yes")), host="0.0.0.0")
    records = [a(f"127.0.{i // 250 + 1}.{i % 250 + 1}", 1) for i in range(300)]
    server = lab.name_server()

    def rotated(query):
        by = len(server.queries) * 7 % 300
        return query.reply(records[by:] + records[:by] if query.type == A else [])  # as one datagram of 4.8 KB, too
    server.script = rotated
    tidegate = lab.tidegate(config_of(server, origin))
    eventually(lambda: tidegate.api.metric(TOTAL, cluster="old", result="success") >= 3, "it was asked again", 15)
    assert tidegate.api.metric("tidegate_dns_addresses", cluster="old") == 64
    assert sum(f"{NAME} has 64 addresses" in line for line in tidegate.lines) == 1
    assert bodies(lab.client(tidegate), 100) == ["yes"] * 100


def test_a_name_of_several_endpoints_is_asked_for_once(lab):
    origins = lab.origins(["127.0.0.1"])
    other = lab.origin(serve(ok("other")))
    server = lab.name_server(a("127.0.0.1", 60))
    config = config_of(server, origins[0])
    config["clusters"]["old"]["endpoints"].append(f"{NAME.upper()}:{port_of(other)}")
    config["clusters"]["new"]["endpoints"] = [f"{NAME}:{port_of(other)}"]
    tidegate = lab.tidegate(config)
    assert server.asked(NAME, A) == 1
    assert set(bodies(lab.client(tidegate), 60)) == {"127.0.0.1", "other"}
    assert tidegate.api.metric(TOTAL, cluster="new", result="success") == 1


def test_the_hosts_file_comes_first(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.9", 60))
    config = config_of(server, origin)
    config["clusters"]["old"]["endpoints"] = [f"localhost:{port_of(origin)}"]
    lab.tidegate(config)
    assert server.asked() == 0


def has_ipv6():
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
        try:
            one.bind(("::1", 0))
            return True
        except OSError:
            return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_family_whose_answer_is_lost_keeps_its_addresses_and_one_that_is_gone_does_not(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1", 1), aaaa("::1", 1))
    tidegate = lab.tidegate(config_of(server, origin))

    def addresses():
        return tidegate.api.metric("tidegate_dns_addresses", cluster="old")
    assert addresses() == 2
    server.script = lambda q: q.reply([a("127.0.0.1", 1)]) if q.type == A else q.reply(code=SERVFAIL)
    asked = server.asked(NAME, AAAA)
    eventually(lambda: server.asked(NAME, AAAA) > asked + 6, "it was asked for, and asked for alone", 20)
    assert addresses() == 2
    server.answers(a("127.0.0.1", 1))
    eventually(lambda: addresses() == 1, "AAAA is gone")


# --- changes

def test_a_change_under_load_fails_no_request(lab):
    first, second, third = lab.origins(["127.0.0.1", "127.0.0.2", "127.0.0.3"])
    server = lab.name_server(a("127.0.0.1"), a("127.0.0.2"))
    tidegate = lab.tidegate(config_of(server, first))
    with WrkLoad(tidegate.url()) as load:
        eventually(lambda: first.requests and second.requests, "both serve")
        server.answers(a("127.0.0.2"), a("127.0.0.3"))
        eventually(lambda: third.requests, "the new one serves")
        eventually(lambda: first.open_connections() == 0, "the old one's connections are closed")
        seen = len(first.requests)
        before = len(third.requests)
        eventually(lambda: len(third.requests) > before + 100, "it goes on")
        assert len(first.requests) == seen, "nothing new goes there"
        server.answers(a("127.0.0.1"))
        eventually(lambda: len(first.requests) > seen + 100, "it is back")
        result = load.stop()
    assert result.failed == 0, result


def test_an_exchange_on_an_address_that_is_gone_ends_in_peace(lab):
    go_on = threading.Event()

    def slow(connection):
        if connection.read_request():
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            connection.wait(go_on)
            connection.send("-half")
            connection.wait_for_end()

    first, = lab.origins(["127.0.0.1"], slow)
    second = lab.origin(serve(ok("second")), host="127.0.0.2", port=int(port_of(first)))
    server = lab.name_server(a("127.0.0.1"))
    tidegate = lab.tidegate(config_of(server, first))
    live = lab.client(tidegate)
    live.send("GET /live HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.requests, "it is there")
    server.answers(a("127.0.0.2"))
    eventually(lambda: any("other than before" in line for line in tidegate.lines), "the change")
    assert bodies(lab.client(tidegate), 5) == ["second"] * 5
    go_on.set()
    assert live.read_response().text == "first-half"
    eventually(lambda: first.open_connections() == 0, "its connection is not kept")
    assert len(first.requests) == 1 and second.requests


def test_over_http2_all_addresses_are_used_and_left(lab):
    first = lab.http2_origin(lambda request: (200, [], b"first", []))
    second = lab.http2_origin(lambda request: (200, [], b"second", []), host="127.0.0.2", port=int(port_of(first)))
    server = lab.name_server(a("127.0.0.1"), a("127.0.0.2"))
    tidegate = lab.tidegate(config_of(server, first, cluster={"protocol": "http2"}))
    client = lab.client(tidegate)
    assert set(bodies(client, 60)) == {"first", "second"}
    with Load(tidegate.address, clients=4, pause=0.002) as load:
        server.answers(a("127.0.0.2"))
        eventually(lambda: first.open_connections() == 0, "it is left")
        assert bodies(client, 20) == ["second"] * 20
        load.stop()
    assert load.errors == 0, load.statuses


def test_an_address_that_nobody_listens_on_fails_one_request_and_not_half_of_them(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1", 60), a("127.0.0.2", 60), a("127.0.0.3", 60))
    tidegate = lab.tidegate(config_of(server, origin, route={"retry": {"retries": 0}}))
    client = lab.client(tidegate)
    statuses = [client.get().status for _ in range(200)]
    assert statuses.count(502) <= 2, "each is tried once in ten seconds"
    assert statuses.count(200) == 200 - statuses.count(502)


def test_an_address_that_is_added_starts_slowly(lab):
    first, second = lab.origins(["127.0.0.1", "127.0.0.2"])
    server = lab.name_server(a("127.0.0.1"))
    tidegate = lab.tidegate(config_of(server, first, cluster={"slow_start": "1h"}))
    client = lab.client(tidegate)
    assert bodies(client, 5) == ["127.0.0.1"] * 5
    server.answers(a("127.0.0.1"), a("127.0.0.2"))
    eventually(lambda: any("has 2 addresses" in line for line in tidegate.lines), "the change")
    got = bodies(client, 600).count("127.0.0.2")
    assert 5 <= got <= 75, got  # 5 % of them: a tenth of every second one


# --- what goes wrong

BAD = {
    "servfail": lambda q: q.reply(code=SERVFAIL),
    "refused": lambda q: q.reply(code=REFUSED),
    "nxdomain": lambda q: q.reply(code=NXDOMAIN),
    "silence": lambda q: None,
    "empty": lambda q: q.reply(),
    "wrong id": lambda q: q.reply([a("127.0.0.9")], id=q.id ^ 1),
    "answer to another question": lambda q: q.reply([a("127.0.0.9")], question="evil.test"),
    "addresses of another name": lambda q: q.reply([a("127.0.0.9", name="evil.test")]),
    "alias loop": lambda q: q.reply([cname("b.test"), cname(NAME, name="b.test")]),
    "alias of itself": lambda q: q.reply([cname(NAME)]),
    "compression loop": lambda q: q.reply()[:12] + b"\xc0\x0c" + q.reply()[-4:],
    "less than a header": lambda q: q.reply()[:5],
    "no bytes": lambda q: b"",
    "records that are cut": lambda q: q.reply([a("127.0.0.9")] * 3)[:-9],
    "counts that lie": lambda q: q.reply()[:6] + struct.pack("!3H", 60000, 60000, 60000) + q.reply()[12:],
    "a record of 3 bytes": lambda q: q.reply([(None, A, 1, b"\x7f\0\0")]),
    "truncated for ever": lambda q: q.reply(truncated=True),
    "a flood of forgeries": lambda q: [q.reply([a("127.0.0.9")], id=i) for i in range(1000) if i != q.id],
}


@pytest.mark.parametrize("wrong", BAD.values(), ids=BAD.keys())
def test_the_last_good_answer_stays(lab, wrong):
    hosts = ["127.0.0.1", "127.0.0.2"]
    origins = lab.origins(hosts)
    server = lab.name_server(*[a(host) for host in hosts])
    tidegate = lab.tidegate(config_of(server, origins[0]))
    assert len(warnings(tidegate)) == 0
    server.script = wrong
    cpu = tidegate.cpu_seconds()
    with Load(tidegate.address, clients=2, pause=0.01) as load:
        eventually(lambda: failures(tidegate) >= 2, "it has failed twice", 20)
        load.stop()
    assert load.errors == 0, load.statuses
    assert set(bodies(lab.client(tidegate), 60)) == set(hosts)
    assert tidegate.api.metric("tidegate_dns_addresses", cluster="old") == 2
    assert len(warnings(tidegate)) <= 2, warnings(tidegate)  # once, and perhaps once more for another reason
    assert "its last 2 addresses stay in use" in warnings(tidegate)[0]
    assert tidegate.cpu_seconds() - cpu < 4, "something spins"
    server.answers(a("127.0.0.2"))
    eventually(lambda: any(f"{NAME} is resolved again" in line for line in tidegate.lines), "it recovers", 20)
    eventually(lambda: set(bodies(lab.client(tidegate), 10)) == {"127.0.0.2"}, "the new answer")


def test_failures_are_asked_again_more_and_more_rarely(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1"))
    tidegate = lab.tidegate(config_of(server, origin))
    server.answers(code=NXDOMAIN)
    eventually(lambda: failures(tidegate) == 1, "it fails")
    begun = time.monotonic()
    eventually(lambda: failures(tidegate) == 3, "and again", 20)
    assert time.monotonic() - begun > (1 + 2) * 0.9 - 0.1


def test_requests_do_not_wait_for_a_name_server_that_does_not_answer(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1"))
    tidegate = lab.tidegate(config_of(server, origin, timeout="30s"))
    server.script = None
    asked = server.asked()
    eventually(lambda: server.asked() > asked, "it waits for an answer")
    client = lab.client(tidegate, timeout=5)  # far less than the name server's 30 s
    assert bodies(client, 200) == ["127.0.0.1"] * 200
    assert failures(tidegate) == 0, "and it still does"
    assert tidegate.terminate() == 0, "nor does the end"


# --- at the start

def test_it_starts_without_dns_and_serves_once_there_is_some(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server()
    server.script = None
    tidegate = lab.tidegate(config_of(server, origin))
    assert "it has no address yet" in warnings(tidegate)[0]
    assert lab.client(tidegate).get().status == 502
    server.answers(a("127.0.0.1"))
    eventually(lambda: lab.client(tidegate).get().status == 200, "it serves", 20)


def test_the_start_waits_five_seconds_for_a_name_and_no_longer(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server()
    server.script = None
    tidegate = lab.tidegate(config_of(server, origin, timeout="30s"))  # the harness waits 15 s for `ready`
    assert "no answer yet" in warnings(tidegate)[0]
    assert lab.client(tidegate).get().status == 502


def test_a_cluster_of_literals_knows_no_dns(lab):
    tidegate = lab.proxy(lab.origin(serve(ok("yes"))))
    assert TOTAL not in tidegate.api.metrics_text()


def test_an_address_that_was_unhealthy_at_a_reload_and_is_well_again_is_used_at_once_when_dns_brings_it_back(lab):
    """config: before the first check an address is in."""
    one, other = "127.0.0.1", "127.0.0.2"
    status, holds_checks = {one: "200 OK", other: "500 Oops"}, threading.Event()

    def script(connection):
        host = connection.socket.getsockname()[0]
        while request := connection.read_request():
            if request.target != "/healthz":
                connection.send(ok(host))
            elif holds_checks.is_set() and host == other:
                return connection.wait_for_end(20)
            else:
                connection.send(ok("", status[host]))

    origins = lab.origins([one, other], script)
    names = lab.name_server(a(one), a(other))
    health = {"path": "/healthz", "interval": "50ms", "timeout": "10s", "healthy": 1, "unhealthy": 1}
    config = config_of(names, origins[0], cluster={"health": health}, new_cluster={"timeouts": {"connect": "1s"}})
    tidegate = lab.tidegate(config)
    tidegate.logs("is unhealthy")
    config["clusters"]["old"]["timeouts"] = {"connect": "2s"}
    tidegate.reload(config)
    status[other] = "200 OK"
    client = lab.client(tidegate)
    eventually(lambda: client.get("/").text == other, "it is healthy again")
    names.answers(a(one))
    eventually(lambda: all(client.get("/").text == one for _ in range(20)) and origins[1].open_connections() == 0, "it is gone", 20)
    holds_checks.set()
    names.answers(a(one), a(other))
    eventually(lambda: client.get("/").text == other, "it is back before its first check has ended", 5)
