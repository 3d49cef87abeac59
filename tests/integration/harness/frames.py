"""HTTP/2 frame by frame, for what the h2 library would not send and does not show: hyperframe reads and writes, nothing is hidden."""
import threading

from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, SettingsFrame, WindowUpdateFrame

from .origin import Origin

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = b"\x82\x86\x84\x41\x01a"      # HPACK: GET, http, /, authority "a"
OK = b"\x88"                        # HPACK: 200


def headers(stream, block, *flags):
    return HeadersFrame(stream, block, flags=["END_HEADERS", *flags]).serialize()


def data(stream, body, *flags):
    return DataFrame(stream, body, flags=list(flags)).serialize()


def frames(more):
    """Each frame as it comes. @param more returns the next bytes, none at the end."""
    received = b""

    def have(size):
        nonlocal received
        while len(received) < size:
            part = more()
            if not part:
                return False
            received += part
        return True

    while have(9):
        frame, length = Frame.parse_frame_header(memoryview(received[:9]))
        if not have(9 + length):
            return
        frame.parse_body(memoryview(received[9:9 + length]))
        received = received[9 + length:]
        yield frame


def frames_of(client):
    """Those that an Http2Client has not read yet, to the end of the connection."""
    return frames(lambda: client.peer.socket.recv(262144))


def kind(frame):
    """"Headers", "Data", "RstStream", "GoAway" ..."""
    return type(frame).__name__.removesuffix("Frame")


def size_of_body(client, seen):
    """Of the one response that comes, whole; each piece is answered with a WINDOW_UPDATE. A reset raises."""
    size, ends = 0, False
    while not ends:
        frame = next(seen)
        if kind(frame) == "Data":
            size += len(frame.data)
            ends = "END_STREAM" in frame.flags
            client.send(WindowUpdateFrame(0, max(len(frame.data), 1)).serialize())
    return size


class FrameOrigin(Origin):
    """`react(connection, frame)` is told every frame but SETTINGS and PING; all of them are in .frames. Connections send() from any thread."""

    def __init__(self, react, settings=None, **options):
        self.react, self.settings = react, settings or {}
        self.frames = []
        self.sending = threading.Lock()
        super().__init__(self._converse, record=False, **options)

    def send(self, connection, what):
        with self.sending:
            connection.send(what)

    def _converse(self, connection):
        begun = connection._source.take(len(PREFACE))
        assert begun == PREFACE, begun
        self.send(connection, SettingsFrame(0, settings=self.settings).serialize())
        for frame in frames(lambda: connection._source.some(262144)):
            self.frames.append(frame)
            if isinstance(frame, SettingsFrame):
                if "ACK" not in frame.flags:
                    self.send(connection, SettingsFrame(0, flags=["ACK"]).serialize())
            elif isinstance(frame, PingFrame):
                if "ACK" not in frame.flags:
                    self.send(connection, PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
            else:
                self.react(connection, frame)

    def seen(self, what):
        """The frames of this kind."""
        return [frame for frame in list(self.frames) if kind(frame) == what]
