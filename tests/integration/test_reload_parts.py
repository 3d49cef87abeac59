"""What a reload does to each part of the file and to what is there of it: listeners, TLS, routes, clusters, names, and the rest."""
import os
import shutil
import signal
import ssl

import pytest

from harness import Authority, Client, eventually, make_config, ok, serve, stays
from harness.dns import A, a
from harness.frames import GET, frames_of, headers, kind
from harness.http2 import Http2Client
from harness.ports import free_port
from harness.reload import (NAME, TAG, Held, Tunnel, both, edited, goes_on_changing, is_served, named, other_cluster, prefix, refused,
                            refuses, reload, tag, tagged_proxy, tell_tag, tls)

HOUR = "1h"


@pytest.fixture
def tagged(lab):
    return tagged_proxy(lab)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


# --- listeners

def test_a_listener_that_is_added_serves_once_the_reload_is_answered(lab, tagged):
    added = f"127.0.0.1:{free_port()}"

    def edit(config):
        config["listeners"] += [{"name": "fixed", "address": added}, {"name": "any", "address": "127.0.0.1:0"}]
    assert set(reload(tagged, edit)) == {"listener fixed: added", "listener any: added"}
    assert lab.client(added).get("/").text == "one"
    tagged.logs("(any)")
    assert lab.client(tagged.names["any"]).get("/").text == "one"
    assert tagged.reload() == [], "a port that the system chose is no change"
    assert lab.client(tagged.names["any"]).get("/").text == "one"
    tagged.descriptors_are_its_own()


def two_listeners(lab, to, **more):
    tidegate = lab.proxy(to, listeners=[{"name": "stays", "address": "127.0.0.1:0", "h2c": True},
                                        {"name": "goes", "address": "127.0.0.1:0", "h2c": True}], **more)
    return tidegate, tidegate.names["stays"], tidegate.names["goes"]


def remove_second(config):
    del config["listeners"][1]


def test_a_listener_that_is_removed_accepts_no_more_and_its_connections_are_told_to_close(lab):
    first = Held(lab)
    tidegate, stays_at, goes_at = two_listeners(lab, first, workers=2)
    busy, begun, idle, other = (lab.client(address) for address in (goes_at, goes_at, goes_at, stays_at))
    for client in (busy, begun, idle, other):
        assert client.get("/").text == "first 0"
    busy.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
    begun.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/late") and first.asked("/held"), "both in flight")
    assert reload(tidegate, remove_second) == ["listener goes: removed"]
    eventually(lambda: refuses(goes_at), "new connections refused")
    assert idle.is_closed(20), "nothing is lost with it"
    first.go.set()
    answer = busy.read_response()
    assert (answer.text, answer.get("connection")) == ("first 0", "close") and busy.is_closed()
    assert begun.read_response().text == first.whole and begun.is_closed()
    assert other.get("/").get("connection") is None, "the other listener's connections know nothing of it"
    assert lab.client(stays_at).get("/").status == 200
    tidegate.descriptors_are_its_own()


def test_http2_connections_of_a_listener_that_is_removed_get_goaway_and_their_streams_finish(lab):
    first = Held(lab)
    tidegate, _, goes_at = two_listeners(lab, first)
    client = lab.keep(Http2Client(goes_at))
    assert client.get("/").status == 200
    client.peer.socket.sendall(headers(3, GET[:2] + b"\x04\x05/held" + GET[3:], "END_STREAM"))
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    reload(tidegate, remove_second)
    first.go.set()
    seen = list(frames_of(client))
    assert any(kind(frame) == "GoAway" and frame.error_code == 0 and frame.last_stream_id >= 3 for frame in seen), seen
    assert b"".join(frame.data for frame in seen if kind(frame) == "Data" and frame.stream_id == 3).decode() == first.whole
    assert any("END_STREAM" in frame.flags for frame in seen if kind(frame) == "Data" and frame.stream_id == 3)


def test_a_tunnel_of_a_listener_that_is_removed_is_not_cut(lab):
    first = Held(lab)
    tidegate, stays_at, goes_at = two_listeners(lab, first)
    tunnel = Tunnel(lab, goes_at)
    reload(tidegate, remove_second)
    eventually(lambda: refuses(goes_at), "new connections refused")
    assert tunnel.echoes("still there") and lab.client(stays_at).get("/").status == 200


def test_a_listener_that_gets_another_address_serves_there_and_no_more_where_it_was(lab, tagged):
    before, after = tagged.address, f"127.0.0.1:{free_port()}"
    assert reload(tagged, lambda config: config["listeners"][0].update(address=after))
    assert lab.client(after).get("/").text == "one"
    eventually(lambda: refuses(before), "the address of before refuses")


def test_a_listener_that_gets_another_name_keeps_its_address(lab):
    address = f"127.0.0.1:{free_port()}"
    tidegate = lab.proxy(lab.origin(tell_tag), listeners=[{"name": "web", "address": address}])
    kept = lab.client(tidegate)
    assert kept.get("/").status == 200
    changed = reload(tidegate, lambda config: config["listeners"][0].update(name="edge"))
    assert any("edge" in line for line in changed), changed
    assert lab.client(address).get("/").status == 200
    reload(tidegate, lambda config: config["listeners"].insert(0, {"name": "web", "address": "127.0.0.1:0"}))
    assert lab.client(address).get("/").status == 200
    tidegate.descriptors_are_its_own()


LISTENER = {
    "limits": ({"limits": {"body_bytes": 10}}, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901", 413),
    "header limits": ({"limits": {"headers": 2}}, "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n", 431),
    "timeouts": ({"timeouts": {"header": "100ms"}}, "GET / HTTP/1.1\r\nHost:", 408),
    "path policy": ({"path": {"merge_slashes": True, "escaped_slashes": "reject"}}, "GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
}


@pytest.mark.parametrize("kept", [True, False], ids=["kept connection", "new connection"])
@pytest.mark.parametrize("what", LISTENER)
def test_a_listener_that_changes_is_so_for_the_next_exchange(lab, tagged, what, kept):
    more, request, status = LISTENER[what]
    client = lab.client(tagged)
    assert client.get("/").text == "one"
    assert reload(tagged, lambda config: config["listeners"][0].update(more)) == ["listener listener-1: changed"]
    if not kept:
        client = lab.client(tagged)
    client.send(request)
    assert client.read_response().status == status
    good = reload(tagged, lambda config: config.update(listeners=[{"address": "127.0.0.1:0"}]))
    assert good == ["listener listener-1: changed"] and tagged.text() == "one"


def test_a_limit_of_connections_is_for_those_that_come(lab, tagged):
    there = [lab.client(tagged) for _ in range(3)]
    assert [client.get("/").text for client in there] == ["one"] * 3
    reload(tagged, lambda config: config["listeners"][0].update(limits={"connections_per_client": 1}))
    assert [client.get("/").text for client in there] == ["one"] * 3
    late = [lab.client(tagged) for _ in range(2)]
    for client in late:
        client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert not late[1].read_response().complete
    reload(tagged, lambda config: config["listeners"][0].pop("limits"))
    assert tagged.text() == "one"


def test_a_client_that_has_more_connections_than_it_may_gets_none_until_it_has_fewer(lab):
    tidegate = lab.proxy(lab.origin(tell_tag), listener={"limits": {"connections_per_client": 10}})

    def status():
        with Client(tidegate.address) as client:
            client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            return client.read_response().status
    there = [lab.client(tidegate) for _ in range(5)]
    assert [client.get("/").status for client in there] == [200] * 5
    reload(tidegate, lambda config: config["listeners"][0].update(limits={"connections_per_client": 3}))
    assert [client.get("/").status for client in there] == [200] * 5
    assert status() == 0
    for client in there[:3]:
        client.close()
    eventually(lambda: status() == 200, "room for one more")


def test_a_smaller_number_of_connections_cuts_nobody_off_and_holds_for_those_that_come(lab, tagged):
    there = [lab.client(tagged) for _ in range(3)]
    assert [client.get("/").text for client in there] == ["one"] * 3
    reload(tagged, lambda config: config["listeners"][0].update(limits={"connections": 2}))
    late = lab.client(tagged)
    late.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [client.get("/").text for client in there] == ["one"] * 3 and late.is_closed(0.3) is None
    reload(tagged, lambda config: config["listeners"][0].update(limits={"connections": 50}))
    assert late.read_response().text == "one"


def test_a_unix_listener_comes_with_its_file_and_goes_with_it(lab, tagged, tmp_path):
    path = str(tmp_path / "a.sock")
    reload(tagged, lambda config: config["listeners"].append({"name": "local", "address": f"unix:{path}", "mode": "0640"}))
    assert os.stat(path).st_mode & 0o777 == 0o640 and lab.client(f"unix:{path}").get("/").text == "one"
    inode = os.stat(path).st_ino
    reload(tagged, tag("two"))
    assert lab.client(f"unix:{path}").get("/").text == "two" and os.stat(path).st_ino == inode
    assert reload(tagged, lambda config: config["listeners"].pop()) == ["listener local: removed"]
    eventually(lambda: not os.path.exists(path), "the file removed")


def test_the_proxy_protocol_is_asked_of_those_that_come_after_it_was_turned_on(lab):
    to = lab.origin(serve(lambda request: ok(request.get("x-forwarded-for"))))
    tidegate = lab.proxy(to, trusted_proxies=["127.0.0.1"])
    kept = lab.client(tidegate)
    assert kept.get("/").text == "127.0.0.1"
    reload(tidegate, lambda config: config["listeners"][0].update(proxy_protocol="accept"))
    assert kept.get("/").text == "127.0.0.1"
    late = lab.client(tidegate)
    late.send("PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\n")
    assert late.get("/").text == "203.0.113.7"


# --- TLS

def test_certificate_files_that_are_named_anew_are_read_at_the_reload(lab, pki):
    before, after = pki.issue(), pki.issue()
    tidegate = lab.proxy(lab.origin(tell_tag), listener=tls(before))
    kept = lab.client(tidegate, tls=pki.client())
    assert kept.get("/").status == 200 and is_served(before, tidegate, pki)
    assert reload(tidegate, lambda config: config["listeners"][0].update(tls(after))) == ["listener listener-1: changed"]
    assert is_served(after, tidegate, pki)
    assert kept.get("/").status == 200, "a connection that is there goes on"
    renewed = pki.issue(stem=after.stem)
    eventually(lambda: is_served(renewed, tidegate, pki), "the files of the new name are watched, too")


@pytest.mark.parametrize("what, message", [("missing", "No such file or directory"), ("garbage", "PEM"), ("key", "is not the key of the certificate")])
def test_a_bad_certificate_refuses_the_reload(lab, pki, tagged, tmp_path, what, message):
    good, other = pki.issue(), pki.issue()
    files = {"missing": {"cert": str(tmp_path / "none.crt"), "key": good.key}, "garbage": {"cert": tagged.config_path, "key": good.key},
             "key": {"cert": good.cert, "key": other.key}}[what]

    def edit(config):
        tag("two")(config)
        config["listeners"].append({"name": "secure", "address": "127.0.0.1:0", "tls": {"certificates": [good.files(), files]}})
    tagged.write_config(edited(tagged, edit))
    refused(tagged, "certificates[1]", message)


def test_a_listener_that_begins_to_speak_tls_does_so_for_new_connections(lab, pki, tagged):
    plain = lab.client(tagged)
    assert plain.get("/").text == "one"
    identity = pki.issue()
    reload(tagged, lambda config: config["listeners"][0].update(tls(identity)))
    assert is_served(identity, tagged, pki)
    assert plain.get("/").text == "one"
    reload(tagged, lambda config: config["listeners"][0].pop("tls"))
    assert tagged.text() == "one"


def test_client_certificates_are_asked_for_after_a_reload_that_says_so(lab, pki):
    identity, alice = pki.issue(), pki.issue(None, "/CN=alice")
    tidegate = lab.proxy(lab.origin(tell_tag), listener=tls(identity))
    assert is_served(identity, tidegate, pki)
    reload(tidegate, lambda config: config["listeners"][0]["tls"].update(client_ca=pki.ca))

    def status(context):
        try:
            with Client(tidegate.address, tls=context) as client:
                return client.get("/").status
        except OSError:
            return 0
    assert status(pki.client()) == 0 and status(pki.client(alice)) == 200


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_before_does_not_get_around_client_certificates(lab, pki, most):
    tidegate = lab.proxy(lab.origin(tell_tag), listener=tls(pki.issue()))
    context = pki.client(most=most)
    with Client(tidegate.address, tls=context) as client:
        assert client.get("/").status == 200
        session = client.socket.session
    with Client(tidegate.address, tls=context, session=session) as client:
        assert client.get("/").status == 200 and client.socket.session_reused
    reload(tidegate, lambda config: config["listeners"][0]["tls"].update(client_ca=pki.ca))
    try:
        with Client(tidegate.address, tls=context, session=session) as client:
            assert client.get("/").status == 0
    except OSError:
        pass        # in the handshake


def test_a_cluster_that_begins_to_speak_tls_does_so_from_the_next_exchange_on(lab, pki):
    secure = lab.nginx("secure", tls=pki.issue())
    tidegate = lab.proxy(lab.origin(serve(ok("plain"))))
    client = lab.client(tidegate)
    assert client.get("/").text == "plain"

    def edit(config):
        config["clusters"]["old"] = {"endpoints": [secure.address], "tls": {"ca": pki.ca}}
    assert reload(tidegate, edit) == ["cluster old: changed"]
    assert client.get("/").text == "secure\n"
    reload(tidegate, lambda config: config["clusters"]["old"]["tls"].update(sni="nobody.example.com"))
    assert client.get("/").status == 502, "and verifies as the new policy says"
    tidegate.descriptors_are_its_own()      # the files of certificates are watched


# --- routes

def test_routes_are_added_changed_put_into_another_order_and_removed(lab):
    tidegate = lab.tidegate(make_config(lab.origin(tell_tag), routes=[prefix("a", "/x"), prefix("b", "/x/y")]))
    client = lab.client(tidegate)

    def edit(config):
        for index, one in enumerate(config["routes"]):
            tag(one["name"], index)(config)
    reload(tidegate, edit)
    assert client.get("/x/y").text == "a"
    assert reload(tidegate, lambda config: config["routes"].reverse()), "another order is a change"
    assert client.get("/x/y").text == "b"
    assert reload(tidegate, lambda config: config["routes"].insert(0, prefix("c", "/x/y/z", request_headers={"set": {TAG: "c"}}))) == \
        ["route c: added"]
    assert [client.get(path).text for path in ("/x", "/x/y", "/x/y/z")] == ["a", "b", "c"]
    assert reload(tidegate, lambda config: config["routes"][0].update(match={"path": {"prefix": "/other"}})) == ["route c: changed"]
    assert [client.get(path).text for path in ("/x/y/z", "/other")] == ["b", "c"]
    assert set(reload(tidegate, lambda config: config.update(routes=config["routes"][1:2]))) == {"route a: removed", "route c: removed"}
    assert [client.get(path).status for path in ("/x/y", "/x", "/other")] == [200, 404, 404]
    assert [one["name"] for one in tidegate.api.status()["routes"]] == ["b"]


def test_a_mirror_that_is_turned_on_copies_from_then_on_and_one_that_is_turned_off_no_more(lab):
    new = lab.origin(serve(ok("copy")))
    tidegate = lab.proxy(lab.origin(tell_tag), new)
    client = lab.client(tidegate)
    assert client.get("/").status == 200
    reload(tidegate, lambda config: config["routes"][0].update(mirror={"percent": 100}))
    for _ in range(3):
        assert client.get("/copied").status == 200
    eventually(lambda: len(new.requests) == 3, "three copies")
    reload(tidegate, lambda config: config["routes"][0].pop("mirror"))
    assert client.get("/").status == 200
    stays(lambda: [request.target for request in new.requests] == ["/copied"] * 3, "no copy more")


def test_a_thousand_routes_are_reloaded_and_each_one_works(lab):
    to = lab.origin(tell_tag, record=False)
    tidegate = lab.proxy(to)
    client = lab.client(tidegate)

    def edit(config):
        config["routes"] = [{"name": f"r{i}", "match": {"hosts": [f"h{i}.test"]}, "request_headers": {"set": {TAG: f"r{i}"}}}
                            for i in range(1000)]
    changed = reload(tidegate, edit)
    assert len(changed) == 1001 and "route r999: added" in changed and "route all: removed" in changed
    assert all(client.get("/", host=f"h{i}.test").text == f"r{i}" for i in range(0, 1000, 37))
    assert reload(tidegate, tag("other", 500)) == ["route r500: changed"]
    assert [client.get("/", host=f"h{i}.test").text for i in (499, 500, 501)] == ["r499", "other", "r501"]
    assert tidegate.reload() == []
    assert len(reload(tidegate, lambda config: config.update(routes=[{"name": "all"}]))) == 1001
    assert client.get("/").text == "none"


# --- clusters

@pytest.mark.parametrize("protocol", ["http1", "http2", "tls"])
def test_clusters_that_stay_as_they_are_keep_their_connections_over_20_reloads(lab, pki, protocol):
    answer = lambda request: (200, [], b"x", [])
    server = pki.server(pki.issue()) if protocol == "tls" else None
    origins = [lab.http2_origin(answer) if protocol == "http2" else lab.alpn_origin(answer, tls=server) for _ in range(2)]
    cluster = {"tls": {"ca": pki.ca}} if protocol == "tls" else {"protocol": protocol}
    tidegate = lab.proxy(*origins, weight=50, cluster=cluster, route={"mirror": {"percent": 100}})
    client = lab.client(tidegate)

    def all_used():
        for _ in range(4):
            assert client.get("/").status == 200
            eventually(lambda: tidegate.api.metric("tidegate_upstream_connections", state="active") == 0, "no copy under way")
    all_used()
    before = [len(origin.connections) for origin in origins]
    for turn in range(20):
        reload(tidegate, both(tag(f"turn-{turn}"), lambda config: config["listeners"][0].update(timeouts={"idle": f"{60 + turn % 2}s"})))
        all_used()
    assert [len(origin.connections) for origin in origins] == before


def test_a_cluster_that_changes_costs_the_other_one_no_connection(lab):
    origins = [lab.origin(tell_tag) for _ in range(2)]
    tidegate = lab.proxy(*origins, weight=50)
    client = lab.client(tidegate)
    for turn in range(5):
        for _ in range(4):
            assert client.get("/").status == 200
        reload(tidegate, lambda config: config["clusters"]["new"].update(pool={"connections": 100 + turn}))
    assert len(origins[0].connections) == 1 and len(origins[1].connections) == 5


def test_endpoints_that_change_are_used_from_the_next_exchange_on_and_those_of_before_are_left(lab):
    first, second, third = (lab.origin(serve(ok(name))) for name in ("first", "second", "third"))
    tidegate = lab.proxy(first)
    client = lab.client(tidegate)
    assert client.get("/").text == "first"
    assert reload(tidegate, lambda config: config["clusters"]["old"].update(endpoints=[second.address, third.address])) == ["cluster old: changed"]
    assert {client.get("/").text for _ in range(60)} == {"second", "third"}
    eventually(lambda: first.open_connections() == 0, "its idle connections are closed")
    reload(tidegate, lambda config: config["clusters"]["old"].update(endpoints=[first.address]))
    assert {client.get("/").text for _ in range(10)} == {"first"}
    eventually(lambda: second.open_connections() + third.open_connections() == 0, "the others' are closed")


QUICK = {"path": "/healthz", "interval": "50ms", "healthy": 2, "unhealthy": 2}


class Watched:
    """An origin that is as healthy as it is told to be, and knows who asked what."""

    def __init__(self, lab, name, status="200 OK"):
        self.name, self.status = name, status
        self.origin = lab.origin(serve(self._answer))
        self.address = self.origin.address

    def _answer(self, request):
        return ok("", self.status) if request.target == "/healthz" else ok(self.name)

    def seen(self, checks):
        return sum(1 for request in list(self.origin.requests) if (request.target == "/healthz") is checks)


def pair(*origins, **more):
    return {"old": {"endpoints": [one.address for one in origins], **more}, "new": {"endpoints": [origins[0].address]}}


def test_an_endpoint_that_is_unhealthy_stays_so_over_reloads(lab):
    good, sick = Watched(lab, "good"), Watched(lab, "sick", "503 Unavailable")
    tidegate = lab.proxy(good, workers=2, clusters=pair(good, sick, health=QUICK))
    tidegate.logs(f"{sick.address} is unhealthy: ")
    clients = [lab.client(tidegate) for _ in range(4)]
    eventually(lambda: all(client.get("/").text == "good" for client in clients * 5), "nobody asks it")
    before = sick.seen(checks=False)
    for turn in range(10):
        reload(tidegate, tag(f"turn-{turn}"))
        assert {client.get("/").text for client in clients * 5} == {"good"}
    assert sick.seen(checks=False) == before
    asked = sick.seen(checks=True)
    eventually(lambda: sick.seen(checks=True) > asked + 2, "it is still asked")
    sick.status = "200 OK"
    eventually(lambda: {client.get("/").text for client in clients * 5} == {"good", "sick"}, "it comes back")


def test_an_endpoint_that_is_left_out_stays_so_over_reloads(lab):
    good = lab.origin(serve(ok("good")))
    bad = lab.origin(serve(ok("bad", "500 Oops")))
    tidegate = lab.proxy(good, clusters=pair(good, bad, outlier={"consecutive_errors": 3, "ejection": HOUR}))
    client = lab.client(tidegate)
    eventually(lambda: client.get("/") and f"{bad.address} is left out for " in tidegate.output, "the ejection")
    eventually(lambda: all(client.get("/").text == "good" for _ in range(20)), "nobody asks it")
    before = len(bad.requests)
    for turn in range(5):
        reload(tidegate, tag(f"turn-{turn}"))
        assert {client.get("/").text for _ in range(20)} == {"good"}
    assert len(bad.requests) == before and tidegate.api.metric("tidegate_outlier_ejections_total", cluster="old") == 1


def test_health_checks_begin_and_end_with_the_file(lab):
    good, sick = Watched(lab, "good"), Watched(lab, "sick", "503 Unavailable")
    tidegate = lab.proxy(good, clusters=pair(good, sick))
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(60)} == {"good", "sick"}
    reload(tidegate, lambda config: config["clusters"]["old"].update(health=QUICK))
    tidegate.logs(f"{sick.address} is unhealthy: ")
    eventually(lambda: all(client.get("/").text == "good" for _ in range(20)), "nobody asks it")
    reload(tidegate, lambda config: config["clusters"]["old"].pop("health"))
    assert {client.get("/").text for _ in range(60)} == {"good", "sick"}, "without checks nobody is unhealthy"
    eventually(lambda: not goes_on_changing(lambda: good.seen(checks=True)), "no checks any more")


def test_a_cluster_that_is_removed_leaves_no_connection_and_is_not_checked_any_more(lab):
    gone, there = Watched(lab, "gone"), Watched(lab, "there")
    tidegate = lab.proxy(gone, cluster={"health": QUICK})
    assert lab.client(tidegate).get("/").text == "gone"
    reload(tidegate, other_cluster(there))
    assert lab.client(tidegate).get("/").text == "there"
    eventually(lambda: gone.origin.open_connections() == 0, "no connection to it")
    eventually(lambda: not goes_on_changing(lambda: gone.seen(checks=True)), "no checks any more")


def test_a_smaller_pool_is_one_from_the_next_exchange_on(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, route={"retry": {"retries": 0}})
    reload(tidegate, lambda config: config["clusters"]["old"].update(pool={"connections": 1, "pending": 0}))
    busy, other = lab.client(tidegate), lab.client(tidegate)
    busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/held"), "the one connection busy")
    assert other.get("/").status == 503
    reload(tidegate, lambda config: config["clusters"]["old"].update(pool={"connections": 5}))
    assert other.get("/").text == "first 0"
    first.go.set()
    assert busy.read_response().text == first.whole


# --- names

def test_names_of_clusters_that_stay_keep_their_addresses_and_connections_though_dns_is_silent(lab):
    hosts = ["127.0.0.1", "127.0.0.2"]
    origins = lab.origins(hosts)
    server = lab.name_server(*[a(host, 60) for host in hosts])
    tidegate = lab.tidegate(named(server, origins[0]))
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(60)} == set(hosts)
    server.script = None
    before = [len(origin.connections) for origin in origins]
    for turn in range(5):
        reload(tidegate, tag(f"turn-{turn}"))
        assert {client.get("/").text for _ in range(60)} == set(hosts)
    assert [len(origin.connections) for origin in origins] == before
    assert tidegate.api.metric("tidegate_dns_addresses", cluster="old") == 2


def test_a_cluster_by_name_that_is_added_serves_from_its_first_exchange_on(lab):
    origin, = lab.origins(["127.0.0.1"])
    server = lab.name_server(a("127.0.0.1", 60))
    tidegate = lab.proxy(lab.origin(tell_tag), dns={"servers": [server.address], "timeout": "200ms"})
    client = lab.client(tidegate)
    assert client.get("/").text == "none" and server.asked() == 0
    name = f"{NAME}:{origin.address.rsplit(':', 1)[1]}"
    reload(tidegate, lambda config: config["clusters"]["old"].update(endpoints=[name]))
    assert client.get("/").text == "127.0.0.1"
    tidegate.descriptors_are_its_own()


def test_other_name_servers_are_asked_from_then_on_and_no_address_is_lost_before_they_answer(lab):
    first, second = lab.origins(["127.0.0.1", "127.0.0.2"])
    server, other = lab.name_server(a("127.0.0.1", 1)), lab.name_server()
    other.script = None
    tidegate = lab.tidegate(named(server, first))
    client = lab.client(tidegate)
    reload(tidegate, lambda config: config["dns"].update(servers=[other.address]))
    eventually(lambda: other.asked(NAME, A) >= 2, "the other one is asked", 20)
    assert {client.get("/").text for _ in range(20)} == {"127.0.0.1"}
    other.answers(a("127.0.0.2", 1))
    eventually(lambda: client.get("/").text == "127.0.0.2", "its answer", 20)
    eventually(lambda: not goes_on_changing(lambda: server.asked(), 2.5), "the first one is not asked any more", 20)
    assert first.requests and second.requests


# --- the rest of the file

def test_trusted_proxies_are_those_of_the_file_from_the_next_exchange_on(lab):
    to = lab.origin(serve(lambda request: ok(request.get("x-forwarded-for"))))
    tidegate = lab.proxy(to)
    client = lab.client(tidegate)
    say = "X-Forwarded-For: 203.0.113.5\r\n"
    assert client.get("/", fields=say).text == "127.0.0.1"
    reload(tidegate, lambda config: config.update(trusted_proxies=["127.0.0.0/8"]))
    for one in (lab.client(tidegate), client):
        assert one.get("/", fields=say).text == "203.0.113.5, 127.0.0.1"
    reload(tidegate, lambda config: config.pop("trusted_proxies"))
    for one in (lab.client(tidegate), client):
        assert one.get("/", fields=say).text == "127.0.0.1"


def test_the_log_level_is_that_of_the_file(tagged):
    reload(tagged, lambda config: config.update(log={"level": "error"}))
    reload(tagged, tag("two"))
    assert tagged.text() == "two"
    reload(tagged, lambda config: config.update(log={"level": "info"}))
    reload(tagged, tag("three"))
    told = lambda: [line for line in tagged.lines if line.endswith("configuration reloaded: route all: changed")]
    eventually(told, "the last one told")
    assert len(told()) == 1


def test_webhooks_that_the_file_adds_are_told_of_decisions_and_those_it_removes_no_more(lab):
    inbox = lab.origin(serve(ok("")))
    tidegate = lab.proxy(lab.origin(tell_tag))
    tidegate.api.weight(5)
    reload(tidegate, lambda config: config.update(notify=[{"webhook": {"url": f"http://{inbox.address}/hook"}, "on": ["reverted"]}]))
    tidegate.api.post("revert")
    eventually(lambda: len(inbox.requests) == 1, "the revert told", 20)
    tidegate.api.post("rearm")
    reload(tidegate, lambda config: config.pop("notify"))
    tidegate.api.post("revert")
    stays(lambda: len(inbox.requests) == 1, "silence")
    tidegate.descriptors_are_its_own()


def test_the_drain_is_that_of_the_file(lab):
    first = Held(lab)
    tidegate = lab.proxy(first, drain={"timeout": HOUR})
    client = lab.client(tidegate)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    reload(tidegate, lambda config: config.update(drain={"timeout": "500ms"}))
    assert tidegate.terminate(20) == 0
    assert not client.read_response().complete
    first.go.set()


def test_sighup_still_reads_certificates_and_opens_the_access_log_again(lab, pki, tmp_path):
    log = tmp_path / "access.log"
    identity = pki.issue(stem=tmp_path / "site")
    tidegate = lab.proxy(lab.origin(tell_tag), listener=tls(identity), log={"access": {"path": str(log)}})
    assert is_served(identity, tidegate, pki)
    eventually(log.exists, "the access log")
    os.rename(log, tmp_path / "access.log.1")
    renewed = pki.issue()
    for source, target in ((renewed.cert, identity.cert), (renewed.key, identity.key)):
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)
    tidegate.signal(signal.SIGHUP)
    eventually(lambda: is_served(renewed, tidegate, pki), "the new certificate")
    eventually(lambda: log.exists() and log.read_text(), "the new access log")


def test_a_reload_while_it_drains_does_no_harm(lab):
    first = Held(lab)
    tidegate = lab.proxy(first)
    client = lab.client(tidegate)
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: first.asked("/held"), "the exchange in flight")
    tidegate.signal(signal.SIGTERM)
    tidegate.logs("draining")
    tidegate.write_config(edited(tidegate, lambda config: config["listeners"].append({"name": "late", "address": "127.0.0.1:0"})))
    tidegate.signal(signal.SIGHUP)
    try:
        tidegate.api.call("POST", "/api/v1/reload", {})
    except OSError:
        pass        # it has gone already
    first.go.set()
    assert client.read_response().text == first.whole
    assert tidegate.wait(20) == 0


