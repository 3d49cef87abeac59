"""Upstream faults over HTTP/2, frame by frame: what a library would refuse to send. By prior knowledge."""
import hpack
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PushPromiseFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)

from .faults import LATER, QUICK_BODY, QUICK_HEAD, Fault, plays
from .http1 import Cut

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM, HTTP_1_1_REQUIRED = 0, 1, 2, 7, 8, 11, 13


class Wire:
    """The server's end of one connection. Its methods return bytes; `stream` is the request's."""

    def __init__(self, connection, settings=True, values=None):
        self.connection, self.stream = connection, 0
        self._settings = settings
        self._encoder = hpack.Encoder()
        self._source = connection._source
        assert self._source.take(len(PREFACE)) == PREFACE
        if settings:
            connection.send(SettingsFrame(0, settings=values or {}).serialize())

    def read_request(self, to_its_end=True):
        """@return False when the connection is over"""
        while True:
            frame = self._frame()
            if frame is None:
                return False
            if isinstance(frame, SettingsFrame) and self._settings and "ACK" not in frame.flags:
                self.connection.send(SettingsFrame(0, flags=["ACK"]).serialize())
            if isinstance(frame, PingFrame) and "ACK" not in frame.flags:
                self.connection.send(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
            if isinstance(frame, HeadersFrame):
                self.stream = frame.stream_id
                with self.connection.origin.lock:
                    self.connection.origin.requests.append(frame.stream_id)
            if isinstance(frame, (HeadersFrame, DataFrame)) and (not to_its_end or "END_STREAM" in frame.flags):
                return True

    def _frame(self):
        try:
            head = self._source.take(9)
        except Cut:
            return None
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self._source.take(length)))
        return frame

    # --- what can be said
    def head(self, *fields, status="200", end=False):
        block = self._encoder.encode([(":status", status), *fields] if status else list(fields))
        return self.block(block, end)

    def block(self, block, end=False):
        return HeadersFrame(self.stream, block, flags=["END_HEADERS", *(["END_STREAM"] if end else [])]).serialize()

    def large_head(self, fields):
        """In as many CONTINUATION frames as it takes."""
        block = self._encoder.encode([(":status", "200"), *fields])
        parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
        frames = [HeadersFrame(self.stream, parts[0]), *(ContinuationFrame(self.stream, part) for part in parts[1:])]
        frames[-1].flags.add("END_HEADERS")
        return b"".join(frame.serialize() for frame in frames)

    def data(self, data, end=False):
        return DataFrame(self.stream, data, flags=["END_STREAM"] if end else []).serialize()

    def reset(self, code):
        return RstStreamFrame(self.stream, error_code=code).serialize()

    def promise(self):
        return PushPromiseFrame(self.stream, promised_stream_id=2, data=b"\x88", flags=["END_HEADERS"]).serialize()

    def goaway(self, last, code=NO_ERROR):
        return GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()

    def answer(self, text=b"whole"):
        return self.head() + self.data(text, end=True)


def says(*parts, then="wait", settings=True, values=None, early=False):
    """As faults.plays(): each part is bytes, or made of the wire, or LATER. @param early before the request's body has come."""
    def play(connection):
        wire = Wire(connection, settings, values)
        plays(connection, parts, then, lambda: wire.read_request(to_its_end=not early),
              lambda part: part(wire) if callable(part) else part)
    return play


def refuses_once(how):
    """Each request is refused by `how`, and answered when it comes again."""
    refused = set()

    def play(connection):
        wire = Wire(connection)
        while wire.read_request():
            turn = connection.origin.turn[0]
            is_again = turn in refused
            refused.add(turn)  # before it is told: it may come again at once
            connection.send(wire.answer() if is_again else how(wire))
    return play


def never_opens_its_window(connection):
    """Nothing of a body can be sent to it; what has none is answered."""
    wire = Wire(connection, values={SettingsFrame.INITIAL_WINDOW_SIZE: 0})
    while wire.read_request():
        connection.send(wire.answer())


def half(wire):
    return wire.head() + wire.data(b"half")


def _fault(*parts, timeouts=None, **how):
    return Fault(says(*parts, **how), protocol="http2", timeouts=timeouts, early=how.get("early", False))


def _resets(code):
    return _fault(lambda wire: wire.reset(code), then="next")


HTTP2 = {
    # the connection
    "h2: says nothing, not even SETTINGS": _fault(settings=False, timeouts=QUICK_HEAD),
    "h2: SETTINGS and nothing more": _fault(timeouts=QUICK_HEAD, then="next"),
    "h2: answers without SETTINGS": _fault(Wire.answer, settings=False),
    "h2: speaks HTTP/1.1": _fault(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", settings=False),
    "h2: garbage": _fault(b"\xff" * 100),
    "h2: closes before the head": _fault(then="fin"),
    "h2: resets before the head": _fault(then="rst"),
    "h2: window 0 for ever": Fault(never_opens_its_window, protocol="http2", timeouts={**QUICK_HEAD, **QUICK_BODY}),
    "h2: window beyond 2^31": _fault(WindowUpdateFrame(0, window_increment=2**31 - 1).serialize()),
    "h2: frame too large": _fault(lambda wire: wire.head() + wire.data(b"x" * 20_000, end=True), then="next"),
    # GOAWAY
    "h2: GOAWAY that excludes the request": _fault(lambda wire: wire.goaway(0), then="next"),
    "h2: GOAWAY that excludes it, once": Fault(refuses_once(lambda wire: wire.goaway(0)), protocol="http2"),
    "h2: GOAWAY that includes it, then the answer": _fault(lambda wire: wire.goaway(wire.stream) + wire.answer(), then="next"),
    "h2: GOAWAY that includes it, then the end": _fault(lambda wire: wire.goaway(wire.stream), then="fin"),
    "h2: GOAWAY with an error": _fault(lambda wire: wire.goaway(wire.stream, INTERNAL_ERROR), then="fin"),
    # RST_STREAM
    "h2: RST_STREAM REFUSED_STREAM": _resets(REFUSED_STREAM),
    "h2: RST_STREAM REFUSED_STREAM, once": Fault(refuses_once(lambda wire: wire.reset(REFUSED_STREAM)), protocol="http2"),
    "h2: RST_STREAM NO_ERROR": _resets(NO_ERROR),
    "h2: RST_STREAM PROTOCOL_ERROR": _resets(PROTOCOL_ERROR),
    "h2: RST_STREAM INTERNAL_ERROR": _resets(INTERNAL_ERROR),
    "h2: RST_STREAM CANCEL": _resets(CANCEL),
    "h2: RST_STREAM ENHANCE_YOUR_CALM": _resets(ENHANCE_YOUR_CALM),
    "h2: RST_STREAM HTTP_1_1_REQUIRED": _resets(HTTP_1_1_REQUIRED),
    "h2: RST_STREAM in the body": _fault(half, LATER, lambda wire: wire.reset(INTERNAL_ERROR), then="next"),
    "h2: REFUSED_STREAM in the body": _fault(half, LATER, lambda wire: wire.reset(REFUSED_STREAM), then="next"),
    # the body
    "h2: closes in the body": _fault(half, LATER, then="fin"),
    "h2: resets in the body": _fault(half, LATER, then="rst"),
    "h2: stops in the body": _fault(half, then="next", timeouts=QUICK_BODY),
    "h2: a byte a frame": _fault(lambda wire: wire.head() + wire.data(b"x") * 200 + wire.data(b"", end=True), then="next"),
    "h2: less DATA than content-length": _fault(lambda wire: wire.head(("content-length", "9")), lambda wire: wire.data(b"half"), LATER,
                                                lambda wire: wire.data(b"", end=True), then="next"),
    "h2: more DATA than content-length": _fault(lambda wire: wire.head(("content-length", "4")), lambda wire: wire.data(b"ha"), LATER,
                                                lambda wire: wire.data(b"lf and more", end=True), then="next"),
    "h2: DATA before the head": _fault(lambda wire: wire.data(b"early") + wire.answer(), then="next"),
    "h2: DATA after END_STREAM": _fault(lambda wire: wire.answer() + wire.data(b"late"), then="next"),
    "h2: trailers without an end": _fault(half, LATER, lambda wire: wire.head(("x-t", "1"), status=None), then="next"),
    # the head
    "h2: no :status": _fault(lambda wire: wire.head(("x-a", "b"), status=None, end=True), then="next"),
    "h2: :status 099": _fault(lambda wire: wire.head(status="099", end=True), then="next"),
    "h2: field name in capitals": _fault(lambda wire: wire.head(("X-A", "b"), end=True), then="next"),
    "h2: Connection in the head": _fault(lambda wire: wire.head(("connection", "close"), end=True), then="next"),
    "h2: CR LF in a value": _fault(lambda wire: wire.head(("x-a", "b\r\nset-cookie: c"), end=True), then="next"),
    "h2: two content-lengths": _fault(lambda wire: wire.head(("content-length", "5"), ("content-length", "6")) + wire.data(b"whole", True),
                                      then="next"),
    "h2: a head that HPACK cannot read": _fault(lambda wire: wire.block(b"\xff\xff\xff\xff\xff\xff\xff"), then="next"),
    "h2: too long a head": _fault(lambda wire: wire.large_head([("x", "y" * 70_000)]), then="next"),
    "h2: too many fields": _fault(lambda wire: wire.large_head([("x", "y")] * 201), then="next"),
    "h2: endless CONTINUATION": _fault(lambda wire: HeadersFrame(wire.stream, b"").serialize()
                                       + ContinuationFrame(wire.stream, b"").serialize() * 1000),
    "h2: PUSH_PROMISE": _fault(lambda wire: wire.promise() + wire.answer()),
    # informational, early
    "h2: 16 times 103, then 200": _fault(lambda wire: wire.head(status="103") * 16 + wire.answer(), then="next"),
    "h2: 1xx storm": _fault(lambda wire: wire.head(status="103") * 1000, then="next"),
    "h2: 101": _fault(lambda wire: wire.head(status="101"), then="next"),
    "h2: 1xx that ends the stream": _fault(lambda wire: wire.head(status="103", end=True), then="next"),
    "h2: answers early, RST_STREAM NO_ERROR": _fault(
        lambda wire: wire.head(status="403") + wire.data(b"no", end=True) + wire.reset(NO_ERROR), early=True, then="next"),
    # floods
    "h2: PING flood": _fault(PingFrame(0, b"12345678").serialize() * 20_000),
    "h2: SETTINGS flood": _fault(SettingsFrame(0).serialize() * 20_000),
    "h2: empty DATA flood": _fault(lambda wire: wire.head() + wire.data(b"") * 20_000),
}
