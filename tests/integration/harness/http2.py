"""HTTP/2 with the h2 library, by prior knowledge or over TLS: a client and origins that Tidegate has no part in."""
import socket
from collections import namedtuple

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from hyperframe.frame import GoAwayFrame

from .http1 import chunked
from .origin import Origin, ok

Http2Response = namedtuple("Http2Response", "status headers body trailers reset")
Http2Request = namedtuple("Http2Request", "method path headers body trailers")


class _Peer:
    """The bytes of one connection, and its events. One thread's."""

    def __init__(self, sock, client_side):
        self.socket = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client_side, header_encoding="utf-8",
                                                                       validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def events(self):
        """Those of the next frames; none at the connection's end."""
        events = []
        while not events:   # a frame may come in pieces
            data = self.socket.recv(65536)
            if not data:
                return []
            events = self.h2.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return events


class Http2Client:
    def __init__(self, address, timeout=20.0, tls=None, name="localhost"):
        """@param tls a context of ssl that offers h2; what the server chooses must be that."""
        host, port = address.rsplit(":", 1)
        sock = socket.create_connection((host, int(port)), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scheme = "http"
        if tls is not None:
            self.scheme = "https"
            sock = tls.wrap_socket(sock, server_hostname=name)
            assert sock.selected_alpn_protocol() == "h2", sock.selected_alpn_protocol()
        self.peer = _Peer(sock, True)
        self.goaway = None
        self._parts = {}

    def start(self, path="/", method="GET", host="a", headers=(), body=None, trailers=None, scheme=None, end=True):
        """Sends a request. @param end False: more of it may follow. @return its stream"""
        h2c = self.peer.h2
        stream = h2c.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", scheme or self.scheme), (":authority", host), (":path", path), *headers]
        h2c.send_headers(stream, fields, end_stream=end and body is None and trailers is None)
        self._parts[stream] = {"status": 0, "headers": [], "body": b"", "trailers": [], "over": False, "reset": None}
        self.peer.flush()
        if body is not None:
            self.send(stream, body, end=end and trailers is None)
        if trailers is not None:
            h2c.send_headers(stream, trailers, end_stream=True)
            self.peer.flush()
        return stream

    def send(self, stream, data, end=False):
        h2c = self.peer.h2
        at = 0
        while at < len(data):
            room = min(h2c.local_flow_control_window(stream), h2c.max_outbound_frame_size)
            if room == 0:
                self._take(self.peer.events())
                continue
            h2c.send_data(stream, data[at:at + room])
            at += room
            self.peer.flush()
        if end:
            h2c.end_stream(stream)
            self.peer.flush()

    def _take(self, events):
        for event in events:
            part = self._parts.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ConnectionTerminated):
                self.goaway = event.error_code
            if part is None:
                continue
            if isinstance(event, h2.events.ResponseReceived):
                part["headers"] = event.headers
                part["status"] = int(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                part["body"] += event.data
            elif isinstance(event, h2.events.TrailersReceived):
                part["trailers"] = event.headers
            elif isinstance(event, h2.events.StreamEnded):
                part["over"] = True
            elif isinstance(event, h2.events.StreamReset):
                part["reset"] = event.error_code
        return bool(events)

    def finish(self, stream):
        part = self._parts[stream]
        while not part["over"] and part["reset"] is None and self._take(self.peer.events()):
            pass
        del self._parts[stream]
        return Http2Response(part["status"], dict(part["headers"]), part["body"], dict(part["trailers"]), part["reset"])

    def request(self, path="/", **options):
        return self.finish(self.start(path, **options))

    def get(self, path="/", **options):
        return self.request(path, **options)

    def post(self, body, path="/", **options):
        return self.request(path, method="POST", body=body, **options)

    def close(self):
        self.peer.socket.close()


class Http2Origin(Origin):
    """`handler(request)` returns (status, headers, body, trailers); a body of None is reset instead of ended.

    Another context in .tls is for new connections; those that were made with the one before are ended without losing a request,
    as by a server that is replaced.
    """

    def __init__(self, handler, **options):
        """@param options of Origin."""
        self.handler = handler
        super().__init__(self._converse, record=False, **options)

    def _converse(self, connection):
        try:
            self._answer(_Peer(connection.socket, False), connection)
        except (OSError, h2.exceptions.StreamClosedError):
            pass

    @staticmethod
    def announce_goaway(connection):
        """RFC 9113 6.8: no new streams; what is on its way is answered."""
        connection.send(GoAwayFrame(0, last_stream_id=2**31 - 1).serialize())

    def _is_replaced(self, connection):
        return getattr(connection.socket, "context", None) is not self.tls

    def _answer(self, peer, connection):
        asked, waiting, announced = {}, {}, False
        while True:
            events = peer.events()
            if not events:
                return
            for event in events:
                stream = getattr(event, "stream_id", None)
                if isinstance(event, h2.events.RequestReceived):
                    asked[stream] = [event.headers, b"", []]
                elif isinstance(event, h2.events.DataReceived):
                    asked[stream][1] += event.data
                elif isinstance(event, h2.events.TrailersReceived):
                    asked[stream][2] = event.headers
                elif isinstance(event, h2.events.StreamReset):
                    asked.pop(stream, None)
                    waiting.pop(stream, None)
                elif isinstance(event, h2.events.StreamEnded) and stream in asked:
                    self._begin(peer, stream, asked.pop(stream), waiting)
            for stream in list(waiting):
                self._go_on(peer, stream, waiting)
            peer.flush()
            if not announced and self._is_replaced(connection):
                self.announce_goaway(connection)
                announced = True

    def _begin(self, peer, stream, parts, waiting):
        headers = dict(parts[0])
        request = Http2Request(headers[":method"], headers[":path"], headers, parts[1], dict(parts[2]))
        with self.lock:
            self.requests.append(request)
        status, fields, body, trailers = self.handler(request)
        peer.h2.send_headers(stream, [(":status", str(status)), *fields])
        if body is None:
            peer.h2.reset_stream(stream, 2)
        else:
            waiting[stream] = [body, trailers]

    @staticmethod
    def _go_on(peer, stream, waiting):
        body, trailers = waiting[stream]
        while body:
            room = min(peer.h2.local_flow_control_window(stream), peer.h2.max_outbound_frame_size)
            if room == 0:
                waiting[stream][0] = body
                return
            peer.h2.send_data(stream, body[:room])
            body = body[room:]
        if trailers:
            peer.h2.send_headers(stream, trailers, end_stream=True)
        else:
            peer.h2.end_stream(stream)
        del waiting[stream]


class AlpnOrigin(Http2Origin):
    """Speaks what TLS agreed on, by the same handler; HTTP/1.1 where that is nothing, and without TLS."""

    def _converse(self, connection):
        if getattr(connection.socket, "selected_alpn_protocol", lambda: None)() == "h2":
            super()._converse(connection)
            return
        while request := connection.read_request():
            asked = Http2Request(request.method, request.target, dict(request.fields), request.body, dict(request.trailers))
            status, fields, body, trailers = self.handler(asked)
            if body is None:
                connection.rst()
                return
            replaced = self._is_replaced(connection)
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields) + ("Connection: close\r\n" if replaced else "")
            if trailers:
                head = f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n{lines}\r\n"
                connection.send(head.encode("latin1") + chunked(body, trailers))
            else:
                connection.send(ok(body, f"{status} X", lines))
            if replaced:
                return
