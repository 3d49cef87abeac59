"""Clients that know what they have to get: every request has an id of its own, and its answer is held against it. Each is a thread that
goes on until it is told to stop; what came of every request is in the Book."""
import contextlib
import random
import socket
import threading
import time
from collections import namedtuple

from hpack import Decoder, Encoder
from hyperframe.frame import PingFrame, SettingsFrame, WindowUpdateFrame

from .client import Client
from .echoes import DELAY, DIGEST, ID, LENGTH, SIDE, TAG, bytes_of, digest
from .frames import PREFACE, data, frames, headers, kind
from .http1 import chunked

PATIENCE = 90               # a client's own; nothing should take so long
SMALL, MEDIUM = (0, 1, 300, 5_000), (20_000, 60_000)
LARGE = (150_000, 700_000, 2_000_000)
WHOLE = "whole"             # of an answer: all of it came, and it is the right one
NO_ERROR, CANCEL, REFUSED_STREAM = 0, 8, 7

# kind: get, download, post, tunnel or call. came: WHOLE, "status 502", "cut" (the head and not all of the body), "no answer ...", "WRONG ...".
Result = namedtuple("Result", "id who kind route began ended came status side tag")


class Asked(namedtuple("Asked", "id route method target size body delay")):
    """One request."""

    @property
    def kind(self):
        return "post" if self.method == "POST" else "download" if self.size > 60_000 else "get"


class Book:
    """What was asked, and what came of it. Times are those of the monotonic clock."""

    def __init__(self, seed):
        self.seed = seed
        self.lock = threading.Lock()
        self.results = []
        self.resent = set()     # ids of requests that never arrived and were sent again
        self.left = set()       # ids of requests whose client did not wait for the answer
        self._count = 0

    def id(self, who):
        with self.lock:
            self._count += 1
            return f"{self.seed}-{who}-{self._count}"

    def note(self, *result):
        with self.lock:
            self.results.append(Result(*result))

    def judge(self, who, asked, began, status, fields, body, whole, why=""):
        """@param fields a dict, names in lower case"""
        get = fields.get
        if not status:
            came = f"no answer {why}".strip()
        elif status != 200:
            came = f"status {status}" + ("" if whole else ", cut")
        elif get(ID) != asked.id:
            came = f"WRONG answer: that of {get(ID)}"
        elif not bytes_of(asked.id, asked.size).startswith(body):
            came = f"WRONG bytes: {body[:80]!r} of {len(body)}"
        elif not whole:
            came = "cut"
        elif len(body) != asked.size:
            came = f"WRONG length: {len(body)} of {asked.size} and an end"
        elif (get(LENGTH), get(DIGEST)) != (str(len(asked.body)), digest(asked.body)):
            came = f"WRONG request arrived: {get(LENGTH)} bytes of {len(asked.body)}"
        else:
            came = WHOLE
        self.note(asked.id, who, asked.kind, asked.route, began, time.monotonic(), came, status, get(SIDE), get(TAG))


class Guest(threading.Thread):
    """visit() again and again."""

    def __init__(self, book, name, address, routes, tls=None, pause=0.0):
        super().__init__(daemon=True, name=name)
        self.book, self.address, self.routes, self.tls, self.pause = book, address, routes, tls, pause
        self.random = random.Random(f"{book.seed} {name}")
        self.over = threading.Event()
        self.visits = 0
        self.crash = None

    def run(self):
        try:
            while not self.over.is_set():
                self.visit()
                self.visits += 1
                self.over.wait(self.pause)
            self.leave()
        except BaseException as error:      # noqa: B902 - shown by whoever joins
            self.crash = error
            raise

    def leave(self):
        pass

    def stop(self):
        self.over.set()

    def join_well(self, seconds=PATIENCE + 30):
        self.join(seconds)
        assert not self.is_alive(), f"{self.name} never ends"
        assert self.crash is None, f"{self.name}: {self.crash!r}"

    def connect(self, **options):
        return Client(self.address, timeout=PATIENCE, tls=self.tls, **options)

    def asks(self, sizes=SMALL, method="GET", bodies=(0,), route=None, delays=(0,)):
        route = route or self.random.choice(self.routes)
        size = self.random.choice(sizes)
        body = self.random.randbytes(self.random.choice(bodies)) if method == "POST" else b""
        delay = self.random.choice(delays) if route == "hedged" else 0
        return Asked(self.book.id(self.name), route, method, f"/{route}/bytes/{size}", size, body, delay)

    @staticmethod
    def head(asked, more=""):
        delay = f"{DELAY}: {asked.delay}\r\n" if asked.delay else ""
        return f"{asked.method} {asked.target} HTTP/1.1\r\nHost: a.test\r\n{ID}: {asked.id}\r\n{delay}{more}\r\n".encode()

    def hear(self, client, asked, began):
        response = client.read_response(asked.method)
        self.book.judge(self.name, asked, began, response.status, dict(response.fields), response.body, response.complete, client.ended or "")
        return response

    def alone(self, asked, message, **options):
        """The request on a connection of its own. @param message bytes, or what sends them"""
        began = time.monotonic()
        try:
            with self.connect(**options) as client:
                message(client) if callable(message) else client.try_send(message)
                self.hear(client, asked, began)
        except OSError as error:
            self.book.judge(self.name, asked, began, 0, {}, b"", False, repr(error))


class KeptGuest(Guest):
    """Safe requests on a kept connection. As browsers do (RFC 9112 9.3.1): one whose connection ended before a byte of the answer
    came is sent again on another."""
    kept, connections = None, 0

    def visit(self):
        asked = self.asks(SMALL + MEDIUM, delays=(0, 0, 0, 0, 0, 0, 0, 150))
        began, fresh = time.monotonic(), False
        try:
            if self.kept is None:
                self.kept, fresh = self.connect(), True
                self.connections += 1
            sent = self.kept.try_send(self.head(asked))
            response = self.kept.read_response()
            if not fresh and not response.raw_head and not self.kept._source.buffer:
                with self.book.lock:
                    self.book.resent.add(asked.id)
                self.leave()
                return self.alone(asked, self.head(asked, "Connection: close\r\n"))
            self.book.judge(self.name, asked, began, response.status, dict(response.fields), response.body, response.complete,
                            f"{self.kept.ended} {sent}")
        except OSError as error:
            self.book.judge(self.name, asked, began, 0, {}, b"", False, repr(error))
            return self.leave()
        if not response.complete or response.get("connection") == "close":
            self.leave()

    def leave(self):
        if self.kept:
            self.kept.close()
        self.kept = None


class ClosingGuest(Guest):
    def visit(self):
        asked = self.asks(SMALL)
        self.alone(asked, self.head(asked, "Connection: close\r\n"))


class Uploader(Guest):
    """With a length and in chunks, and not on a kept connection: nobody may send a POST again."""

    def visit(self):
        asked = self.asks(SMALL, "POST", (0, 5, 3_000, 70_000, 300_000))
        if self.random.random() < 0.5:
            return self.alone(asked, self.head(asked, f"Content-Length: {len(asked.body)}\r\n") + asked.body)
        half = len(asked.body) // 2
        parts = [self.head(asked, "Transfer-Encoding: chunked\r\n")]
        if half:
            parts.append(b"%x\r\n%s\r\n" % (half, asked.body[:half]))
        parts.append(chunked(asked.body[half:]))
        self.alone(asked, lambda client: all(client.try_send(part) for part in parts))


class Downloader(Guest):
    def visit(self):
        asked = self.asks(LARGE)
        self.alone(asked, self.head(asked))


class SlowReader(Guest):
    """Sends its head in pieces and reads a large answer in dribs."""

    def visit(self):
        asked = self.asks((900_000,))

        def slowly(client):
            message = self.head(asked)
            for at in range(0, len(message), 20):
                client.try_send(message[at:at + 20])
                self.over.wait(0.005)
            more, read = client._more, [0]

            def in_dribs():
                read[0] += 1
                if read[0] % 4 == 0:
                    self.over.wait(0.005)
                return more()
            client._source._more = in_dribs
        self.alone(asked, slowly, receive_buffer=16384)


class SlowSender(Guest):
    def visit(self):
        asked = self.asks((10,), "POST", (40_000,))

        def slowly(client):
            client.try_send(self.head(asked, f"Content-Length: {len(asked.body)}\r\n"))
            for at in range(0, len(asked.body), 2_000):
                if not client.try_send(asked.body[at:at + 2_000]):
                    return
                self.over.wait(0.01)
        self.alone(asked, slowly)


class Vanisher(Guest):
    """Leaves in the middle, with FIN or RST."""

    def visit(self):
        way = self.random.choice(("head", "answer", "upload", "chunks", "at once", "streams", "tls"))
        if way == "streams":
            return self._leave_streams()
        asked = self.asks((700_000,) if way == "answer" else SMALL, "POST" if way in ("upload", "chunks") else "GET", (60_000,))
        with self.book.lock:
            self.book.left.add(asked.id)
        client = Client(self.address, timeout=PATIENCE, tls=None if way == "tls" else self.tls)
        with contextlib.suppress(OSError):
            if way == "head":
                client.send(self.head(asked)[:-9])
            elif way == "upload":
                client.send(self.head(asked, f"Content-Length: {len(asked.body)}\r\n") + asked.body[:20_000])
            elif way == "chunks":
                client.send(self.head(asked, "Transfer-Encoding: chunked\r\n") + b"8000\r\n" + asked.body[:20_000])
            elif way == "tls":
                client.send(b"\x16\x03\x01\x02\x00\x01")
            else:
                client.send(self.head(asked))
                if way == "answer":
                    client.socket.recv(1000)
        client.rst() if self.random.random() < 0.5 and self.tls is None else client.close()

    def _leave_streams(self):
        if self.tls is not None:
            return
        encoder, out = Encoder(), PREFACE + SettingsFrame(0).serialize()
        for stream in range(1, 12, 2):
            asked = self.asks(SMALL + LARGE)
            with self.book.lock:
                self.book.left.add(asked.id)
            out += headers(stream, encoder.encode(stream_fields(asked, "http")), "END_STREAM")
        with contextlib.suppress(OSError), Client(self.address, timeout=PATIENCE) as client:
            client.send(out)
            if self.random.random() < 0.5:
                client.socket.recv(200)


class Tunneller(Guest):
    """A WebSocket's handshake, and bytes that come back."""

    def visit(self):
        route, id, began = self.routes[0], self.book.id(self.name), time.monotonic()
        status, fields, came = 0, {}, WHOLE
        try:
            with self.connect() as client:
                client.send(f"GET /{route} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{ID}: {id}\r\n"
                            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                status, fields = client.read_informational()
                fields = dict(fields)
                if status != 101:
                    came = f"status {status}"
                elif fields.get(ID) != id:
                    came = f"WRONG answer: that of {fields.get(ID)}"
                for turn in range(self.random.choice((1, 4, 12)) if came == WHOLE else 0):
                    message = bytes_of(f"{id} {turn}", self.random.choice((5, 2_000, 50_000)))
                    client.send(message)
                    back = client._source.take(len(message))
                    if back != message:
                        came = f"WRONG echo {back[:80]!r}"
                        break
                    self.over.wait(0.02)
        except Exception as error:      # noqa: B902 - Cut and OSError
            came = "cut" if status == 101 else f"no answer {error!r}"
        self.book.note(id, self.name, "tunnel", route, began, time.monotonic(), came, status, fields.get(SIDE), None)


class Caller(Guest):
    """gRPC, unary. @param channel of grpc."""

    def __init__(self, book, name, channel, route, pause=0.0):
        super().__init__(book, name, None, [route], pause=pause)
        self.call = channel.unary_unary("/t/unary")

    def visit(self):
        import grpc
        id, began, came, side = self.book.id(self.name), time.monotonic(), WHOLE, None
        try:
            answer, call = self.call.with_call(id.encode(), timeout=PATIENCE, metadata=((ID, id),))
            side = dict(call.trailing_metadata()).get(SIDE)
            if answer != id.encode():
                came = f"WRONG answer {answer!r}"
        except grpc.RpcError as error:
            came = f"status {error.code()} {error.details()}"
        self.book.note(id, self.name, "call", self.routes[0], began, time.monotonic(), came, 200 if came == WHOLE else 0, side, None)


def stream_fields(asked, scheme):
    return [(":method", asked.method), (":scheme", scheme), (":authority", "a.test"), (":path", asked.target), (ID, asked.id),
            *([(DELAY, str(asked.delay))] if asked.delay else [])]


class StreamGuest(Guest):
    """HTTP/2, several requests at a time. What is above the number of a GOAWAY, or refused, was not executed (RFC 9113 6.8, 8.7) and is
    asked again, with its id, on another connection; all else that gets no whole answer has failed."""

    def __init__(self, *arguments, streams=4, posts=0.25, **options):
        super().__init__(*arguments, **options)
        self.streams, self.posts = streams, posts
        self.waiting = []       # to be asked again
        self.connections = self.goaways = 0

    def next(self):
        if self.waiting:
            return self.waiting.pop()
        if self.random.random() < self.posts:
            return self.asks(SMALL, "POST", (0, 5, 3_000, 70_000))
        return self.asks(SMALL + MEDIUM + LARGE[:1], delays=(0, 0, 0, 0, 0, 0, 0, 150))

    def visit(self):
        connection = None
        try:
            connection = _Streams(self)
            connection.converse()
        except OSError as error:
            if connection is None:
                asked = self.next()
                self.book.judge(self.name, asked, time.monotonic(), 0, {}, b"", False, repr(error))
            else:
                connection.fail(repr(error))

    def leave(self):
        for asked in self.waiting:
            with self.book.lock:
                self.book.left.add(asked.id)


class _Open:
    def __init__(self, asked, window):
        self.asked, self.began, self.window = asked, time.monotonic(), window
        self.status, self.fields, self.parts, self.unsent = 0, {}, [], asked.body


class _Streams:
    WINDOW = 1 << 20

    def __init__(self, guest):
        self.guest, self.book = guest, guest.book
        host, port = guest.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scheme = "http"
        if guest.tls is not None:
            self.socket, self.scheme = guest.tls.wrap_socket(self.socket, server_hostname="localhost"), "https"
            assert self.socket.selected_alpn_protocol() == "h2"
        self.encoder, self.decoder = Encoder(), Decoder()
        self.open = {}
        self.next_id, self.last = 1, None
        self.window, self.stream_window = 65535, 65535
        guest.connections += 1

    def converse(self):
        guest = self.guest
        with self.socket:
            self.socket.sendall(PREFACE + SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: self.WINDOW}).serialize())
            self.begin()
            for frame in frames(lambda: self.socket.recv(262144)):
                before = len(self.open)
                self.take(frame)
                if len(self.open) < before and guest.pause:
                    guest.over.wait(guest.pause)
                if self.last is None and not guest.over.is_set():
                    self.begin()
                if not self.open:
                    return
        self.fail("the connection ended")

    def fail(self, why):
        for stream in list(self.open):
            self.ended(stream, False, why)

    def begin(self):
        while len(self.open) < self.guest.streams:
            asked = self.guest.next()
            self.open[self.next_id] = _Open(asked, self.stream_window)
            block = self.encoder.encode(stream_fields(asked, self.scheme))
            self.socket.sendall(headers(self.next_id, block, *([] if asked.method == "POST" and asked.body else ["END_STREAM"])))
            self.next_id += 2
        self.pump()

    def pump(self):
        """Bodies, as far as the windows allow."""
        for stream, one in self.open.items():
            while one.unsent and self.window > 0 and one.window > 0:
                part = one.unsent[:min(16384, self.window, one.window)]
                one.unsent = one.unsent[len(part):]
                self.window -= len(part)
                one.window -= len(part)
                self.socket.sendall(data(stream, part, *([] if one.unsent else ["END_STREAM"])))

    def take(self, frame):
        what, stream = kind(frame), frame.stream_id
        one = self.open.get(stream)
        if what == "Settings" and "ACK" not in frame.flags:
            initial = frame.settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, self.stream_window)
            for each in self.open.values():
                each.window += initial - self.stream_window
            self.stream_window = initial
            self.socket.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
        elif what == "Ping" and "ACK" not in frame.flags:
            self.socket.sendall(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
        elif what == "WindowUpdate":
            if stream == 0:
                self.window += frame.window_increment
            elif one:
                one.window += frame.window_increment
        elif what == "Headers":
            fields = dict(self.decoder.decode(frame.data))
            if one and ":status" in fields:
                one.status, one.fields = int(fields[":status"]), fields
        elif what == "Data" and frame.flow_controlled_length:
            out = WindowUpdateFrame(0, frame.flow_controlled_length).serialize()
            if one:
                one.parts.append(frame.data)
                out += WindowUpdateFrame(stream, frame.flow_controlled_length).serialize()
            self.socket.sendall(out)
        elif what == "RstStream" and one:
            if frame.error_code == REFUSED_STREAM:
                self.not_executed([stream])
            elif not (frame.error_code == NO_ERROR and one.status):
                self.ended(stream, False, f"RST_STREAM {frame.error_code}")
        elif what == "GoAway":
            if self.last is None:
                self.guest.goaways += 1
            self.last = frame.last_stream_id
            if frame.error_code != NO_ERROR:
                return self.fail(f"GOAWAY {frame.error_code} {frame.additional_data}")
            self.not_executed([each for each in self.open if each > self.last])
        if "END_STREAM" in frame.flags and stream in self.open:
            self.ended(stream, True)
        self.pump()

    def ended(self, stream, whole, why=""):
        one = self.open.pop(stream)
        self.book.judge(self.guest.name, one.asked, one.began, one.status, one.fields, b"".join(one.parts), whole, why)

    def not_executed(self, streams):
        for stream in streams:
            asked = self.open.pop(stream).asked
            self.guest.waiting.append(asked)
            with self.book.lock:
                self.book.resent.add(asked.id)
