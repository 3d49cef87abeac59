"""WebSocket and other Upgrades through Tidegate: whole, idle, drained, sent away after a revert. Issue 5 point 4, RFC 6455."""
import asyncio
import os
import signal
import threading

import websockets

from harness import eventually, ok, serve

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


def test_10000_messages_pass_both_ways_intact(lab):
    server = lab.keep(WebSocketServer())
    tidegate = lab.proxy(server, server)
    messages = [os.urandom(i % 300) for i in range(10_000)]
    assert echo(tidegate.address, messages) == messages
    tidegate.api.counts(1, "http_requests_total", status="101")


def test_large_messages_pass_intact(lab):
    server = lab.keep(WebSocketServer())
    messages = [os.urandom(size) for size in (125, 126, 65535, 65536, 3_000_000)]
    assert echo(lab.proxy(server, server).address, messages) == messages


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


async def code_after(address, what):
    """The code of the Close frame that comes after what() was done on an open connection."""
    async with websockets.connect(f"ws://{address}/chat", open_timeout=20) as connection:
        await connection.send("a")
        assert await connection.recv() == "a"
        await asyncio.get_running_loop().run_in_executor(None, what)
        await asyncio.wait_for(connection.wait_closed(), 30)
        return connection.close_code


def test_a_revert_sends_connections_to_new_away_with_1001(lab):
    old, new = lab.keep(WebSocketServer()), lab.keep(WebSocketServer())
    route = {"upgrade": {"on_revert": "close", "close_jitter": "100ms"}}
    tidegate = lab.proxy(old, new, weight=100, route=route)
    assert asyncio.run(code_after(tidegate.address, lambda: tidegate.api.weight(0))) == 1001
    eventually(lambda: new.codes == [1001], "the server's own close", 10)


def test_a_drain_sends_connections_away_with_1001_and_ends_with_0(lab):
    server = lab.keep(WebSocketServer())
    tidegate = lab.proxy(server, server)
    assert asyncio.run(code_after(tidegate.address, lambda: tidegate.signal(signal.SIGTERM))) == 1001
    assert tidegate.wait() == 0


def test_a_copy_is_not_made_and_is_counted(lab):
    server = lab.keep(WebSocketServer())
    tidegate = lab.proxy(server, server, route={"mirror": {"percent": 100}})
    assert echo(tidegate.address, ["a"]) == ["a"]
    mirror = tidegate.api.route()["mirror"]
    assert mirror["received"] == 1 and mirror["dropped"]["upgrade"] == 1


