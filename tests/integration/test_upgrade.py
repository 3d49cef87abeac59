"""WebSocket and other Upgrades through Tidegate, over HTTP/1.1 and HTTP/2 on either leg: whole, idle, drained, sent away after a
revert. Issue 5 point 4, RFC 6455, RFC 8441. HAProxy and nghttpx speak HTTP/2 for the WebSocket
library's server and client."""
import asyncio
import os
import signal
import threading

import pytest
import websockets

from harness import Authority, eventually, ok, serve

pytestmark = pytest.mark.one_worker

HANDSHAKE = ("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class WebSocketServer:
    """Echoes; a connection's path is answered first when it asks for /hello."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.codes = []
        started = threading.Event()
        threading.Thread(target=self._run, args=(started,), daemon=True).start()
        started.wait(20)

    def _run(self, started):
        asyncio.set_event_loop(self.loop)
        self.stop = self.loop.create_future()

        async def main():
            async with websockets.serve(self._serve, "127.0.0.1", 0, max_size=None) as server:
                self.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
                started.set()
                await self.stop
        self.loop.run_until_complete(main())

    async def _serve(self, connection):
        try:
            async for message in connection:
                await connection.send(message)
        finally:
            self.codes.append(connection.close_code)

    def close(self):
        self.loop.call_soon_threadsafe(lambda: self.stop.done() or self.stop.set_result(None))


def echo(address, messages):
    async def run():
        async with websockets.connect(f"ws://{address}/chat", max_size=None, open_timeout=20) as connection:
            async def send():
                for message in messages:
                    await connection.send(message)
            sending = asyncio.create_task(send())
            got = [await connection.recv() for _ in messages]
            await sending
            return got
    return asyncio.run(run())


def upgraded(tidegate):
    return sum(value for (name, _), value in tidegate.api.metrics().items() if name == "tidegate_upgraded_connections")


PAIRS = [(down, up) for down in ("http1", "h2") for up in ("http1", "h2")]
over_every_pair = pytest.mark.parametrize("down, up", PAIRS, ids=["-".join(pair) for pair in PAIRS])


class Legs:
    """Tidegate between clients and WebSocket servers, with these protocols before and behind it."""

    def __init__(self, lab, down, up, servers=1, **options):
        self.servers = [lab.keep(WebSocketServer()) for _ in range(servers)]
        behind = [one.address if up == "http1" else lab.proxy_sender(one.address, "", options="proto h2").address
                  for one in self.servers]
        self.tidegate = lab.proxy(*behind, listener={"h2c": True}, cluster={"protocol": up.replace("h2", "http2")}, **options)
        self.address = self.tidegate.address
        if down == "h2":
            self.address = lab.nghttpx(self.tidegate).address
        self.status = "101" if down == "http1" else "200"


@over_every_pair
def test_10000_messages_pass_both_ways_intact(lab, down, up):
    legs = Legs(lab, down, up)
    messages = [os.urandom(i % 300) for i in range(10_000)]
    assert echo(legs.address, messages) == messages
    legs.tidegate.api.counts(1, "http_requests_total", status=legs.status)


@over_every_pair
def test_large_messages_pass_intact(lab, down, up):
    messages = [os.urandom(size) for size in (125, 126, 65535, 65536, 3_000_000)]
    assert echo(Legs(lab, down, up).address, messages) == messages


@pytest.mark.several_threads
@over_every_pair
def test_many_websockets_at_a_time_pass_intact(lab, down, up):
    legs = Legs(lab, down, up)

    async def one(index):
        async with websockets.connect(f"ws://{legs.address}/chat", open_timeout=30) as connection:
            for turn in range(5):
                await connection.send(f"{index} {turn}")
                assert await connection.recv() == f"{index} {turn}"

    async def all_of_them():
        await asyncio.gather(*(one(index) for index in range(40)))
    asyncio.run(all_of_them())
    eventually(lambda: upgraded(legs.tidegate) == 0, "no upgraded connection", 10)


def switching(protocol, then=b""):
    def script(connection):
        request = connection.read_request()
        connection.send(f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode() + then)
        connection.wait_for_end()
        return request
    return script


def test_an_upgrade_that_the_route_does_not_allow_is_an_ordinary_request(lab):
    to = lab.origin(serve(ok("plain")))
    client = lab.client(lab.proxy(to, to))
    client.send((HANDSHAKE % "h2c").encode())
    assert client.read_response().text == "plain"
    assert to.requests[0].get("upgrade") is None


def test_another_protocol_is_joined_where_the_route_allows_it(lab):
    to = lab.origin(switching("echo", b"at once"))
    client = lab.client(lab.proxy(to, to, route={"upgrade": {"protocols": ["echo"]}}))
    client.send((HANDSHAKE % "echo").encode())
    head = client.socket.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 ") and b"upgrade: echo" in head.lower()
    while not head.endswith(b"at once"):
        head += client.socket.recv(4096)


def test_a_101_that_nobody_asked_for_is_a_failure(lab):
    to = lab.origin(switching("websocket"), record=False)
    client = lab.client(lab.proxy(to, to, route={"retry": {"retries": 0}}))
    assert client.get("/").status == 502


def test_an_answer_other_than_101_is_an_ordinary_one(lab):
    to = lab.origin(serve(ok("no", status="403 Forbidden")), record=False)
    client = lab.client(lab.proxy(to, to))
    client.send((HANDSHAKE % "websocket").encode())
    assert client.read_response().status == 403
    assert client.get("/").status == 403


def test_a_connection_on_which_nothing_moves_ends(lab):
    server = lab.keep(WebSocketServer())
    tidegate = lab.proxy(server, server, route={"upgrade": {"idle_timeout": "300ms"}})
    client = lab.client(tidegate)
    client.send((HANDSHAKE % "websocket").encode())
    data = b"-"
    while data:
        data = client.socket.recv(4096)
    eventually(lambda: upgraded(tidegate) == 0, "no upgraded connection", 10)


@pytest.mark.parametrize("protocol", ["echo", "websocket"])
def test_an_end_of_one_direction_and_then_nothing_is_the_end(lab, protocol):
    """The server has ended its direction, and the client does not: a WebSocket is over, another protocol is idle."""
    to = lab.origin(lambda c: (c.read_request(), c.send(f"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())),
                    record=False)
    tidegate = lab.proxy(to, to, route={"upgrade": {"protocols": [protocol], "idle_timeout": "1s" if protocol == "echo" else "60s"}})
    client = lab.client(tidegate)
    client.send((HANDSHAKE % protocol).encode())
    while client.socket.recv(4096):
        pass
    eventually(lambda: upgraded(tidegate) == 0, "no upgraded connection", 20)


async def code_after(address, what):
    """The code of the Close frame that comes after what() was done on an open connection."""
    async with websockets.connect(f"ws://{address}/chat", open_timeout=20) as connection:
        await connection.send("a")
        assert await connection.recv() == "a"
        await asyncio.get_running_loop().run_in_executor(None, what)
        await asyncio.wait_for(connection.wait_closed(), 30)
        return connection.close_code


@pytest.mark.several_threads
@over_every_pair
def test_a_revert_sends_connections_to_new_away_with_1001(lab, down, up):
    route = {"upgrade": {"on_revert": "close", "close_jitter": "100ms"}}
    legs = Legs(lab, down, up, servers=2, weight=100, route=route)
    assert asyncio.run(code_after(legs.address, lambda: legs.tidegate.api.weight(0))) == 1001
    eventually(lambda: legs.servers[1].codes == [1001], "the server's own close", 10)


@pytest.mark.several_threads
@over_every_pair
def test_a_drain_sends_connections_away_with_1001_and_ends_with_0(lab, down, up):
    legs = Legs(lab, down, up)
    assert asyncio.run(code_after(legs.address, lambda: legs.tidegate.signal(signal.SIGTERM))) == 1001
    assert legs.tidegate.wait() == 0


@pytest.mark.several_threads
def test_a_copy_is_not_made_and_is_counted(lab):
    server = lab.keep(WebSocketServer())
    tidegate = lab.proxy(server, server, route={"mirror": {"percent": 100}})
    assert echo(tidegate.address, ["a"]) == ["a"]
    mirror = tidegate.api.route()["mirror"]
    assert mirror["received"] == 1 and mirror["dropped"]["upgrade"] == 1




# --- HTTP/2 (RFC 8441)

CONNECT = [(":protocol", "websocket"), ("sec-websocket-version", "13")]


def test_an_upstream_that_does_not_offer_tunnels_over_http2_gives_its_ordinary_answer(lab):
    """NGINX does not. Any client could ask for a WebSocket, so it is no failure of the side; more in test_shared_connections."""
    to = lab.nginx_server("location / { return 200 x; }", options="http2")
    tidegate = lab.proxy(to, to, cluster={"protocol": "http2"}, route={"retry": {"retries": 0}})
    client = lab.client(tidegate)
    for _ in range(2):
        client.send((HANDSHAKE % "websocket").encode())
        answer = client.read_response()
        assert (answer.status, answer.body, answer.get("upgrade")) == (200, b"x", None)
    tidegate.api.counts(2, "http_requests_total", status="200")
    assert tidegate.api.failures_of_sides() == 0


def test_what_the_route_does_not_allow_is_refused_with_501(lab):
    to = lab.origin(serve(ok("plain")))
    client = lab.http2_client(lab.proxy(to, to, listener={"h2c": True}))
    stream = client.start(method="CONNECT", headers=[(":protocol", "connect-udp")], end=False)
    assert client.finish(stream).status == 501
    assert not to.requests


def test_a_server_that_answers_another_key_is_a_failure(lab):
    to = lab.origin(switching("websocket"), record=False)
    client = lab.http2_client(lab.proxy(to, to, listener={"h2c": True}, route={"retry": {"retries": 0}}))
    stream = client.start(method="CONNECT", headers=CONNECT, end=False)
    assert client.finish(stream).status == 502


def test_a_refusal_of_the_server_is_passed_on(lab):
    to = lab.origin(serve(ok("no", status="403 Forbidden")))
    client = lab.http2_client(lab.proxy(to, to, listener={"h2c": True}))
    stream = client.start(method="CONNECT", headers=CONNECT, end=False)
    answer = client.finish(stream)
    assert (answer.status, answer.body) == (403, b"no")
    asked = to.requests[0]
    assert (asked.method, asked.get("upgrade"), asked.get("connection")) == ("GET", "websocket", "upgrade")
    assert len(asked.get("sec-websocket-key")) == 24 and asked.get("sec-websocket-version") == "13"


def test_a_tunnel_on_which_nothing_moves_is_reset(lab):
    to = lab.keep(WebSocketServer())
    tidegate = lab.proxy(to, to, listener={"h2c": True}, route={"upgrade": {"idle_timeout": "300ms"}})
    client = lab.http2_client(tidegate)
    stream = client.start(method="CONNECT", headers=CONNECT, end=False)
    answer = client.finish(stream)
    assert (answer.status, answer.reset) == (200, 8), "CANCEL: RFC 8441 section 5"
    assert "sec-websocket-accept" not in answer.headers


def test_where_tls_would_agree_on_http2_a_websocket_still_has_a_connection_of_http1(lab):
    """Protocol auto: every server can change from HTTP/1.1, few from HTTP/2."""
    server = lab.keep(WebSocketServer())
    identity = Authority(lab.directory / "authority").issue()
    pem = identity.stem + ".pem"
    with open(pem, "wb") as out:
        for path in (identity.cert, identity.key):
            with open(path, "rb") as part:
                out.write(part.read())
    terms = lab.proxy_sender(server.address, "", options=f"ssl crt {pem} alpn h2,http/1.1")
    tidegate = lab.proxy(terms, terms, cluster={"protocol": "auto", "tls": {"verify": False}})
    client = lab.client(tidegate)
    for _ in range(3):
        assert client.get("/").status == 426, "the server's own answer, over HTTP/2"
        assert echo(tidegate.address, ["a", "b"]) == ["a", "b"]
