"""An origin that plays a script: reads a request, sends these bytes, waits for an event, FIN, RST. Records every byte that
it was sent. One thread a connection."""
import socket
import struct
import threading
import traceback

from .client import socket_address
from .http1 import Cut, Fields, Malformed, Source, read_chunks, read_head
from .waiting import eventually


class Request(Fields):
    def __init__(self):
        self.method = self.target = self.version = ""
        self.fields = []
        self.body = b""
        self.trailers = []
        self.raw_head = b""
        self.framing = "none"
        self.complete = False
        self.on_connection = None

    def __repr__(self):
        return f"<{self.method} {self.target} {self.fields} {self.body[:80]!r}>"


class OriginConnection:
    def __init__(self, origin, sock, index):
        self.origin = origin
        self.index = index
        self.socket = sock
        self.received = b""
        self.received_size = 0
        self.ended = None                   # "fin", "rst" or "closed" (by us)
        self.over = threading.Event()       # the other end has closed
        self._source = Source(self._more)

    def _more(self):
        try:
            data = self.socket.recv(262144)
        except OSError:
            self.ended = self.ended or "rst"
            self.over.set()
            return b""
        if not data:
            self.ended = self.ended or "fin"
            self.over.set()
        self.received_size += len(data)
        if self.origin.record:
            self.received += data
        return data

    def read_head(self):
        """The head alone; the body may still come. None when the connection ends first."""
        request = Request()
        request.on_connection = self
        try:
            request.raw_head, line, request.fields = read_head(self._source)
        except Cut:
            return None
        request.method, request.target, request.version = line.split(" ")
        with self.origin.lock:
            self.origin.requests.append(request)
        return request

    def read_body(self, request, keep=True, on_data=None):
        parts = []
        size = [0]

        def take(data):
            size[0] += len(data)
            if on_data:
                on_data(data)
            if keep:
                parts.append(data)

        try:
            if request.all("transfer-encoding"):
                request.framing = "chunked"
                request.trailers = read_chunks(self._source, take)
            elif request.all("content-length"):
                request.framing = "length"
                left = int(request.get("content-length"))
                while left > 0:
                    part = self._source.some(min(left, 65536))
                    take(part)
                    left -= len(part)
            request.complete = True
        except Cut:
            pass
        request.body = b"".join(parts)
        request.size = size[0]
        return request

    def read_request(self):
        request = self.read_head()
        if request is None:
            return None
        self.read_body(request)
        return request if request.complete else None

    def send(self, data):
        self.socket.sendall(data.encode("latin1") if isinstance(data, str) else data)

    def wait(self, event, seconds=20):
        assert event.wait(seconds), "the script's event never came"

    def wait_for_end(self, seconds=20):
        """Reads on until the other end closes. @return "fin", "rst" or None when it does not."""
        self.socket.settimeout(seconds)
        try:
            while True:
                data = self.socket.recv(262144)
                if not data:
                    self.ended = "fin"
                    break
                if self.origin.record:
                    self.received += data
        except TimeoutError:
            return None
        except OSError:
            self.ended = self.ended or "rst"
        self.over.set()
        return self.ended

    def fin(self):
        self.socket.shutdown(socket.SHUT_WR)

    def fin_that_arrives(self):
        """Waits until the other machine's kernel has it, whatever its process does: on loopback it may come a moment late under load."""
        self.fin()
        fin_wait_2 = 5      # linux/tcp_states.h
        eventually(lambda: self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == fin_wait_2, "the FIN is acknowledged")

    def rst(self):
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.close()

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass


class Origin:
    """`script(connection)` is run for every connection, which is closed when it returns."""

    def __init__(self, script, backlog=512, record=True, receive_buffer=None, port=0, path=None, tls=None, host="127.0.0.1"):
        """@param path of a unix-domain socket, or "@name", instead of a port.
        @param tls a server's context of ssl; handshakes that fail are counted."""
        self.script = script
        self.tls = tls
        self.failed_handshakes = []
        self.record = record
        self.lock = threading.Lock()
        self.requests = []
        self.connections = []
        self.errors = []
        self._open = True
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer is not None:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind(socket_address(f"unix:{path}") if path else (host, port))
        self.listener.listen(backlog)
        self.address = f"unix:{path}" if path else "%s:%d" % (host, self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if not self._open:
                sock.close()
                return
            if sock.family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                connection = OriginConnection(self, sock, len(self.connections))
                self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        if self.tls is not None:
            try:
                connection.socket = self.tls.wrap_socket(connection.socket, server_side=True)
            except OSError as error:
                self.failed_handshakes.append(error)
                connection.close()
                return
        try:
            self.script(connection)
        except (ConnectionError, TimeoutError, Cut):
            pass
        except (Malformed, Exception):  # noqa: B902 - shown by the lab at the end
            if self._open:
                self.errors.append(traceback.format_exc())
        finally:
            connection.close()

    def bytes_received(self):
        with self.lock:
            return sum(c.received_size for c in self.connections)

    def open_connections(self):
        with self.lock:
            return sum(1 for c in self.connections if not c.over.is_set() and c.socket.fileno() >= 0)

    def close(self):
        self._open = False
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            open_ones = list(self.connections)
        for connection in open_ones:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()


def ok(body=b"", status="200 OK", fields=""):
    """The bytes of a whole response with a Content-Length."""
    if isinstance(body, str):
        body = body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode("latin1") + body


def serve(answer):
    """A script that answers every request of every connection with answer(request), or with these bytes."""
    def script(connection):
        while True:
            request = connection.read_request()
            if request is None:
                return
            connection.send(answer(request) if callable(answer) else answer)
    return script
