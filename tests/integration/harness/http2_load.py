"""A steady load over HTTP/2 that heeds GOAWAY, frame by frame: the h2 library reads nothing any more once it has got one."""
import socket
import threading

from hpack import Decoder
from hyperframe.frame import PingFrame, SettingsFrame, WindowUpdateFrame

from .frames import GET, PREFACE, frames, headers, kind

REFUSED_STREAM = 7


class Http2Load:
    """`clients` connections with `streams` requests in flight each. What is above the number of a GOAWAY, or refused, was not executed
    (RFC 9113 6.8, 8.7) and is asked again on another connection; all else that gets no whole answer has failed."""

    def __init__(self, address, clients=2, streams=8, tls=None):
        self.address, self.streams, self.tls = address, streams, tls
        self.total = self.errors = self.connections = self.goaways = self.resent = 0
        self.problems = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _run(self):
        while not self._stop.is_set():
            open_streams = {}
            try:
                _Connection(self, open_streams).converse()
            except OSError as error:
                self._failed(max(1, len(open_streams)), error)
                self._stop.wait(0.01)

    def _failed(self, count, why):
        with self._lock:
            self.total += count
            self.errors += count
            if len(self.problems) < 5:
                self.problems.append(repr(why))

    def count(self, status):
        if status != "200":
            return self._failed(1, f"status {status}")
        with self._lock:
            self.total += 1

    def __repr__(self):
        return (f"<{self.total} requests over HTTP/2, {self.errors} failed, {self.connections} connections, {self.goaways} GOAWAY, "
                f"{self.resent} sent again, {self.problems}>")


class _Connection:
    def __init__(self, load, open_streams):
        """@param open_streams stream: status, None until its head came; those that are left at an error have failed."""
        self.load, self.open = load, open_streams
        host, port = load.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if load.tls is not None:
            self.socket = load.tls.wrap_socket(self.socket, server_hostname="localhost")
        self.request = GET if load.tls is None else GET.replace(b"\x86", b"\x87")      # https
        self.decoder = Decoder()
        self.next, self.last = 1, None
        with load._lock:
            load.connections += 1

    def converse(self):
        with self.socket:
            self.socket.sendall(PREFACE + SettingsFrame(0).serialize())
            self._begin()
            for frame in frames(lambda: self.socket.recv(262144)):
                self._take(frame)
                if self.last is None and not self.load._stop.is_set():
                    self._begin()
                if not self.open:
                    return
        if self.open:
            self.load._failed(len(self.open), f"the connection ended in {len(self.open)} exchanges")

    def _begin(self):
        out = b""
        while len(self.open) < self.load.streams:
            out += headers(self.next, self.request, "END_STREAM")
            self.open[self.next] = None
            self.next += 2
        self.socket.sendall(out)

    def _take(self, frame):
        what, stream = kind(frame), frame.stream_id
        if what == "Settings" and "ACK" not in frame.flags:
            self.socket.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
        elif what == "Ping" and "ACK" not in frame.flags:
            self.socket.sendall(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
        elif what == "Headers":
            fields = dict(self.decoder.decode(frame.data))
            if stream in self.open and ":status" in fields:
                self.open[stream] = fields[":status"]
        elif what == "Data" and frame.flow_controlled_length:
            self.socket.sendall(WindowUpdateFrame(0, frame.flow_controlled_length).serialize())
        elif what == "RstStream" and stream in self.open:
            self._not_executed([stream]) if frame.error_code == REFUSED_STREAM else self._ended(stream, f"reset {frame.error_code}")
        elif what == "GoAway":
            self._goaway(frame)
        if "END_STREAM" in frame.flags and stream in self.open:
            self._ended(stream, self.open[stream])

    def _ended(self, stream, status):
        del self.open[stream]
        self.load.count(status)

    def _goaway(self, frame):
        if self.last is None:
            with self.load._lock:
                self.load.goaways += 1
        self.last = frame.last_stream_id
        if frame.error_code != 0:
            self.load.problems.append(f"GOAWAY {frame.error_code} {frame.additional_data}")
        self._not_executed([stream for stream in self.open if stream > self.last])

    def _not_executed(self, streams):
        for stream in streams:
            del self.open[stream]
        with self.load._lock:
            self.load.resent += len(streams)
