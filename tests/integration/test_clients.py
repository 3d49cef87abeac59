"""What one client may take: connections at a time. (Heads, bodies and streams: test_framing.py, test_faults.py, test_protocols.py.)"""
from harness import eventually, ok, serve

REFUSED = "tidegate_downstream_connections_refused_total"


def limited(lab, most=3, listener=None, **options):
    return lab.proxy(lab.origin(serve(ok("fine"))), listener={"limits": {"connections_per_client": most}, **(listener or {})}, **options)


def served(lab, tidegate, count, **options):
    """So many connections that are kept, each after an answer."""
    clients = [lab.client(tidegate, **options) for _ in range(count)]
    assert all(client.get("/").status == 200 for client in clients)
    return clients


def test_a_client_s_connections_are_bounded_over_all_workers_and_others_are_not(lab):
    tidegate = limited(lab, workers=4)
    assert tidegate.api.metric(REFUSED, reason="client_limit") == 0
    kept = served(lab, tidegate, 3)
    for _ in range(20):
        assert lab.client(tidegate).is_closed(10)
    served(lab, tidegate, 3, source="127.0.0.2")
    tidegate.api.counts(20, REFUSED, reason="client_limit")
    tidegate.logs("closed the connection of 127.0.0.1:")
    tidegate.logs("its client has 3 already (limits.connections_per_client)")
    assert tidegate.output.count("limits.connections_per_client") <= 4   # once in 10 s a worker
    assert all(client.get("/").status == 200 for client in kept)


def test_a_connection_that_ends_makes_room_however_it_ends(lab):
    tidegate = limited(lab, most=1, workers=2)

    def once(end):
        with lab.client(tidegate) as client:
            if client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") and client.read_response().status == 200:
                end(client)
                return True
        return False

    for end in (lambda c: None, lambda c: c.send("nonsense\r\n\r\n"), lambda c: c.rst(),
                lambda c: c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                lambda c: c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")):
        for _ in range(10):
            eventually(lambda: once(end), "room")
    tidegate.api.counts(0, "tidegate_downstream_connections")


def test_the_client_is_the_one_that_the_proxy_header_names(lab):
    tidegate = limited(lab, most=2, listener={"proxy_protocol": "accept"}, trusted_proxies=["127.0.0.1"])

    def header(source):
        kind = b"TCP6" if ":" in source else b"TCP4"
        to = b"::1" if ":" in source else b"127.0.0.1"
        return b"PROXY %s %s %s 1000 80\r\n" % (kind, source.encode(), to)

    def outcomes(sources):
        out = []
        for source in sources:
            client = lab.client(tidegate)
            client.try_send((header(source) if isinstance(source, str) else source) + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            out.append(client.read_response().status == 200)
        return out

    assert outcomes(["192.0.2.1"] * 3 + ["192.0.2.2"]) == [True, True, False, True]
    assert outcomes(["2001:db8:0:1::1", "2001:db8:0:1:ffff::1", "2001:db8:0:1::2", "2001:db8:0:2::1"]) == [True, True, False, True]
    assert outcomes(["::ffff:192.0.2.2", "::ffff:192.0.2.2"]) == [True, False]  # as IPv4, which has one
    assert outcomes(["127.0.0.1"] * 4) == [True] * 4                           # in trusted_proxies
    assert outcomes([b"PROXY UNKNOWN\r\n"] * 4) == [True] * 4                  # nobody in particular
    tidegate.api.counts(3, REFUSED, reason="client_limit")


def test_whoever_is_trusted_stands_for_many_and_a_unix_domain_socket_for_anybody(lab):
    trusted = limited(lab, most=1, trusted_proxies=["127.0.0.1"])
    served(lab, trusted, 5)
    local = limited(lab, most=1, listener={"address": f"unix:{lab.directory}/a.sock"})
    served(lab, local, 5)
    assert trusted.api.get("/api/v1/config").json["listeners"][0]["limits"]["connections_per_client"] == 1
