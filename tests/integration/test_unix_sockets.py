"""Unix-domain sockets, with a path or an abstract name, on both sides of the proxy."""
import json
import os
import signal
import socket
import stat
import tempfile
import threading

import pytest

from harness import Client, curl, eventually, make_config, ok, serve, wrk
from harness.large import block, echo, sha

pytestmark = pytest.mark.one_worker

KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def folder():
    """Short: a socket's path has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="tg-") as name:
        yield name


def on(path, **more):
    return {"address": f"unix:{path}", **more}


def tell(request):
    return ok(f"{request.get('host')} {request.get('x-forwarded-for')} {request.get('x-forwarded-proto')}")


def first_logged(lab):
    path = lab.directory / "access.log"
    return json.loads(eventually(lambda: path.exists() and path.read_text().splitlines(), "a line in the access log")[0])


def names(folder):
    path = os.path.join(folder, "a.sock")
    return [path, f"@tidegate-{os.path.basename(folder)}"]


@pytest.mark.several_threads
@pytest.mark.parametrize("kind", [0, 1], ids=["path", "abstract"])
def test_a_listener_may_be_a_unix_socket_and_says_so_at_start(lab, folder, kind):
    name = names(folder)[kind]
    tidegate = lab.proxy(lab.origin(serve(tell)), listener=on(name, name="local"),
                         log={"access": {"path": str(lab.directory / "access.log")}})
    assert tidegate.names["local"] == tidegate.address == f"unix:{name}"
    client = lab.client(tidegate)
    for _ in range(3):
        assert client.get("/").text == "tidegate.test unix: http"
    record = first_logged(lab)
    assert record["downstream_remote_address"] == "unix:"
    config = tidegate.api.get("/api/v1/config").json["listeners"][0]
    assert (config["address"], config["mode"]) == (f"unix:{name}", None)


@pytest.mark.several_threads
@pytest.mark.parametrize("kind", [0, 1], ids=["path", "abstract"])
def test_an_endpoint_may_be_a_unix_socket(lab, folder, kind):
    origin = lab.origin(serve(tell), path=names(folder)[kind])
    tidegate = lab.proxy(origin, log={"access": {"path": str(lab.directory / "access.log")}})
    client = lab.client(tidegate)
    assert [client.get("/").text for _ in range(5)] == ["tidegate.test 127.0.0.1 http"] * 5
    assert len(origin.connections) == 1
    record = first_logged(lab)
    assert record["upstream_host"] == origin.address
    client.send("GET / HTTP/1.0\r\n\r\n")      # a path is no Host
    assert client.read_response().text == "localhost 127.0.0.1 http"


def test_large_bodies_go_through_both_ways_and_both_kinds(lab, folder):
    """Spliced: the descriptors show pipes while the client holds the transfer up."""
    origin = lab.origin(echo, record=False, path=os.path.join(folder, "origin.sock"))
    tidegate = lab.tidegate(make_config(origin, listeners=[on(os.path.join(folder, "a.sock")), {"address": "127.0.0.1:0"}],
                                        route={"retry": {"retries": 0}}))
    for address in tidegate.addresses:
        client = lab.client(address, timeout=40)
        for size in (1, 64 * KIB - 1, 64 * KIB, MIB, 20 * MIB):
            client.send(f"GET /{size} HTTP/1.1\r\nHost: a\r\n\r\n")
            response = client.read_response(keep_body=False)
            assert (response.complete, response.size, response.sha256) == (True, size, sha(block(size)))
            assert client.post(block(size)).text == f"{size} {sha(block(size))}"
        client.send(f"GET /{40 * MIB} HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_part(MIB)
        eventually(lambda: any(target.startswith("pipe:") and tidegate.fd_list().count(target) == 2 for target in tidegate.fd_list()),
                   "a pipe in use")
        client.close()
    assert len(origin.connections) <= 3


def test_chunks_trailers_and_pipelines_are_the_same_as_over_tcp(lab, folder):
    origin = lab.origin(serve(lambda request: ok(request.body or request.target)), path=os.path.join(folder, "o"))
    tidegate = lab.proxy(origin, listener=on(os.path.join(folder, "a")))
    client = lab.client(tidegate)
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
    assert [client.read_response().text for _ in range(5)] == ["/1"] * 5
    client.send_bytewise(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert client.read_response().text == "abcde"
    client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
    assert client.read_response().status == 400 and client.is_closed(20)


@pytest.mark.several_threads
def test_several_workers_accept_from_the_one_socket(lab, folder):
    origin = lab.origin(serve(ok("x")), record=False)
    path = os.path.join(folder, "a.sock")
    tidegate = lab.proxy(origin, workers=4, listener=on(path, limits={"connections": 400}))
    answers = []

    def run():
        for _ in range(20):
            with Client(f"unix:{path}", timeout=30) as client:
                answers.extend(client.get("/").status for _ in range(3))

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert answers == [200] * 12 * 20 * 3
    held = [lab.client(tidegate) for _ in range(64)]      # all at once, each served
    for client in held:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [client.read_response().status for client in held] == [200] * 64


@pytest.mark.several_threads
def test_connections_beyond_a_worker_s_share_go_to_another_worker(lab, folder):
    """Four workers with room for two each: eight clients are served at a time, whoever was woken for them."""
    path = os.path.join(folder, "a.sock")
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), workers=4, listener=on(path, limits={"connections": 8}))
    for _ in range(3):
        clients = [Client(tidegate.address) for _ in range(9)]
        for client in clients[:8]:
            assert client.get("/").status == 200
        clients[8].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")   # waits in the backlog
        clients[0].close()
        assert clients[8].read_response().status == 200
        for client in clients:
            client.close()
        tidegate.api.counts(0, "tidegate_downstream_connections")


# --- the file

def test_the_file_has_its_mode_and_is_gone_after_a_clean_end(lab, folder):
    path = os.path.join(folder, "a.sock")
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener=on(path, mode="0640"))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
    assert tidegate.api.get("/api/v1/config").json["listeners"][0]["mode"] == "0640"
    assert tidegate.terminate() == 0
    assert not os.path.exists(path)


def test_a_file_that_a_killed_tidegate_left_behind_is_replaced(lab, folder):
    path = os.path.join(folder, "a.sock")
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener=on(path))
    tidegate.kill()
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    tidegate.start()
    assert lab.client(tidegate).get("/").status == 200


def fails_to_start(lab, config):
    tidegate = lab.tidegate(config, ready=False)
    assert tidegate.wait() == 1
    return tidegate.output


def test_a_socket_that_somebody_listens_on_is_left_alone(lab, folder):
    path = os.path.join(folder, "a.sock")
    origin = lab.origin(serve(ok("x")))
    first = lab.proxy(origin, listener=on(path))
    output = fails_to_start(lab, make_config(origin, listener=on(path)))
    assert f"cannot listen on unix:{path}: Address already in use" in output
    assert lab.client(first).get("/").status == 200
    name = f"@{os.path.basename(folder)}"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("\0" + name[1:])
        assert f"cannot listen on unix:{name}" in fails_to_start(lab, make_config(origin, listener=on(name)))


def test_a_file_that_is_no_socket_is_left_alone(lab, folder):
    path = os.path.join(folder, "precious")
    with open(path, "w") as file:
        file.write("data")
    output = fails_to_start(lab, make_config("127.0.0.1:9", listener=on(path)))
    assert "there is a file that is not a socket" in output
    with open(path) as file:
        assert file.read() == "data"


def test_a_file_that_another_has_put_in_its_place_is_not_removed(lab, folder):
    path = os.path.join(folder, "a.sock")
    tidegate = lab.proxy(lab.origin(serve(ok("x"))), listener=on(path))
    os.rename(path, path + ".kept")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        assert tidegate.terminate() == 0
        assert os.path.exists(path)


@pytest.mark.several_threads
def test_a_drain_removes_the_file_first_and_answers_what_came_before_it(lab, folder):
    path = os.path.join(folder, "a.sock")
    go_on, asked = threading.Event(), threading.Event()

    def script(connection):
        while connection.read_request():
            asked.set()
            connection.wait(go_on)
            connection.send(ok("x"))

    tidegate = lab.proxy(lab.origin(script), workers=2, listener=on(path))
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert asked.wait(20)
    tidegate.signal(signal.SIGTERM)
    eventually(lambda: not os.path.exists(path), "the file removed")
    go_on.set()
    answer = client.read_response()
    assert (answer.status, answer.get("connection")) == (200, "close")
    assert tidegate.wait(30) == 0


# --- trust, and the other side's behaviour

def test_a_unix_peer_is_trusted_by_the_word_unix_only(lab, folder):
    fields = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n"
    for number, (trusted, expected) in enumerate([([], "unix: http"), (["0.0.0.0/0", "::/0"], "unix: http"),
                                                  (["unix"], "203.0.113.5, unix: https")]):
        tidegate = lab.proxy(lab.origin(serve(tell)), listener=on(os.path.join(folder, str(number))),
                             **({"trusted_proxies": trusted} if trusted else {}))
        assert lab.client(tidegate).get("/", fields=fields).text == f"tidegate.test {expected}"


def test_the_proxy_protocol_is_accepted_over_a_unix_socket(lab, folder):
    path = os.path.join(folder, "a.sock")
    tidegate = lab.proxy(lab.origin(serve(tell)), listener=on(path, proxy_protocol="accept"), trusted_proxies=["unix"])
    for how in ("send-proxy", "send-proxy-v2"):
        haproxy = lab.proxy_sender(tidegate.address, how)
        assert lab.client(haproxy.address).get("/").text == "tidegate.test 127.0.0.1 http"
    client = lab.client(tidegate)
    client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.is_closed(20)
    tidegate.api.counts(1, "tidegate_proxy_protocol_refused_total", reason="malformed")


def test_a_client_on_a_unix_socket_is_announced_as_one_or_as_unknown(lab, folder):
    origin = lab.origin(serve(ok("x")), path=os.path.join(folder, "o"))
    path = os.path.join(folder, "a.sock")
    tidegate = lab.proxy(origin, listener=on(path), cluster={"proxy_protocol": "v1"})

    def script(connection):
        connection._source.until(b"\r\n")
        connection.read_request()
        connection.send(ok("x"))

    origin.script = script
    assert lab.client(tidegate).get("/").status == 200
    assert origin.connections[0].received.startswith(b"PROXY UNKNOWN\r\nGET / ")


def test_real_servers_behind_and_in_front_on_unix_sockets(lab, folder):
    """HAProxy -> tidegate -> NGINX, all over unix-domain sockets, and curl."""
    nginx = lab.nginx_server("    location / { return 200 \"$http_host $remote_addr\"; }", path=os.path.join(folder, "nginx"))
    tidegate = lab.proxy(nginx, listener=on(os.path.join(folder, "a")))
    haproxy = lab.proxy_sender(tidegate.address, "", path=os.path.join(folder, "haproxy"))
    assert lab.client(haproxy.address).get("/", host="a.test").text == "a.test unix:"
    answer = curl("--unix-socket", os.path.join(folder, "a"), "http://b.test/")
    assert (answer.status, answer.body) == (200, b"b.test unix:")


@pytest.mark.several_threads
def test_many_requests_over_a_unix_endpoint_all_succeed(lab, folder):
    nginx = lab.nginx_server("    location / { return 200 \"x\"; }", path=os.path.join(folder, "nginx"))
    tidegate = lab.proxy(nginx, workers=2)
    result = wrk(tidegate.url(), 2, connections=32)
    assert result.requests > 100 and result.failed == 0


def test_a_client_that_closes_while_it_is_served_is_499(lab, folder):
    asked = threading.Event()

    def script(connection):
        connection.read_request()
        asked.set()
        connection.wait_for_end()

    tidegate = lab.proxy(lab.origin(script), listener=on(os.path.join(folder, "a")))
    with Client(tidegate.address) as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(20)
    tidegate.api.counts(1, "http_requests_total", status="499")


@pytest.mark.parametrize("gone", ["file", "listener"])
def test_an_endpoint_that_is_not_there_is_a_failure_to_connect_that_the_other_side_saves(lab, folder, gone):
    path = os.path.join(folder, "new.sock")
    if gone == "listener":
        with socket.socket(socket.AF_UNIX) as once:
            once.bind(path)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), f"unix:{path}", weight=50)
    client = lab.client(tidegate)
    assert {client.get("/").text for _ in range(10)} == {"old"}
    assert tidegate.api.metric("tidegate_upstream_failures_total", cluster="new", reason="connect") >= 5
    assert tidegate.api.metric("tidegate_retries_rescued_total", side="old") >= 5


def test_an_endpoint_that_closes_idle_connections_costs_no_request(lab, folder):
    def once(connection):
        connection.read_request()
        connection.send(ok("x"))

    tidegate = lab.proxy(lab.origin(once, path=os.path.join(folder, "o")), route={"retry": {"retries": 0}})
    client = lab.client(tidegate)
    assert [client.get("/").status for _ in range(20)] == [200] * 20


def test_an_answer_that_breaks_off_is_never_passed_off_as_complete(lab, folder):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    tidegate = lab.proxy(lab.origin(script, path=os.path.join(folder, "o")), listener=on(os.path.join(folder, "a")),
                         route={"retry": {"retries": 0}})
    response = lab.client(tidegate).get("/")
    assert (response.status, response.complete) == (200, False)
    tidegate.api.counts(1, "tidegate_upstream_failures_total", reason="reset")


def test_a_path_that_two_listeners_have_is_an_error_of_the_configuration(lab, folder):
    path = os.path.join(folder, "a.sock")
    tidegate = lab.tidegate(make_config("127.0.0.1:9", listeners=[on(path), on(f"{folder}/./a.sock")]), ready=False)
    assert tidegate.wait() == 78
    assert f"unix:{path} is already the address of listeners[0].address" in tidegate.output
