"""A client that sends exactly the bytes it is told to, and says exactly what came back."""
import hashlib
import select
import socket
import ssl
import struct

from .http1 import Cut, Fields, Source, chunked, read_chunks, read_head


class Response(Fields):
    def __init__(self):
        self.status = 0
        self.reason = ""
        self.version = ""
        self.fields = []
        self.body = b""
        self.trailers = []
        self.informational = []
        self.complete = False   # the framing said so
        self.raw_head = b""
        self.size = 0           # of the body, also when it was not kept
        self.sha256 = ""

    def __repr__(self):
        return (f"<{self.version} {self.status} {self.fields} {self.body[:200]!r} "
                f"{'complete' if self.complete else 'CUT'}>")

    @property
    def text(self):
        return self.body.decode("latin1")


def socket_address(address):
    """"127.0.0.1:80", "unix:/run/a.sock" or "unix:@name", as the socket module takes it."""
    if address.startswith("unix:"):
        name = address[len("unix:"):]
        return "\0" + name[1:] if name.startswith("@") else name
    host, port = address.rsplit(":", 1)
    return host, int(port)


class Client:
    def __init__(self, address, timeout=15.0, receive_buffer=None, tls=None, name="localhost", session=None,
                 source=None):
        """@param tls a context of ssl: the handshake is made at once, for `name`. @param session to be resumed.
        @param source the address that the client has."""
        is_unix = address.startswith("unix:")
        self.socket = socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect(socket_address(address))
        if not is_unix:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:     # an end without close_notify is seen as "rst"
            self.socket = tls.wrap_socket(self.socket, server_hostname=name, session=session, suppress_ragged_eofs=False)
        self.ended = None       # "fin" or "rst" once seen
        self._source = Source(self._more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _more(self):
        if self.ended:
            return b""
        try:
            data = self.socket.recv(262144)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            self.ended = "rst"
            return b""
        if not data:
            self.ended = "fin"
        return data

    # --- sending
    def send(self, data):
        self.socket.sendall(data.encode("latin1") if isinstance(data, str) else data)
        return self

    def try_send(self, data):
        """@return False when the other end is gone."""
        try:
            self.send(data)
            return True
        except (ConnectionResetError, BrokenPipeError):
            return False

    def send_bytewise(self, data):
        for i in range(len(data)):
            self.send(data[i:i + 1])
        return self

    # --- reading
    def read_response(self, method="GET", keep_body=True):
        """The next final response; the 1xx before it are in .informational. Never raises on a cut: .complete is False."""
        response = Response()
        try:
            while True:
                raw, line, fields = read_head(self._source)
                version, status, *reason = line.split(" ", 2)
                if 100 <= int(status) < 200:
                    response.informational.append((int(status), fields))
                    continue
                break
            response.raw_head, response.version, response.status = raw, version, int(status)
            response.reason = reason[0] if reason else ""
            response.fields = fields
            self._read_body(response, method, keep_body)
        except Cut:
            pass
        return response

    def read_informational(self):
        raw, line, fields = read_head(self._source)
        return int(line.split(" ")[1]), fields

    def _read_body(self, response, method, keep):
        digest = hashlib.sha256()
        parts = []

        def on_data(data):
            response.size += len(data)
            digest.update(data)
            if keep:
                parts.append(data)

        try:
            if method == "HEAD" or response.status in (204, 304):
                pass
            elif response.all("transfer-encoding"):
                assert response.all("transfer-encoding") == ["chunked"] and not response.all("content-length"), response
                response.trailers = read_chunks(self._source, on_data)
            elif response.all("content-length"):
                left = int(response.get("content-length"))
                while left > 0:
                    part = self._source.some(left)
                    on_data(part)
                    left -= len(part)
            else:
                on_data(self._source.rest())
                if self.ended != "fin":
                    raise Cut()
            response.complete = True
        finally:
            response.body = b"".join(parts)
            response.sha256 = digest.hexdigest()

    def get(self, target="/", host="tidegate.test", fields="", method="GET"):
        """One request without a body on this connection, and its response."""
        self.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
        return self.read_response(method)

    def post(self, body, target="/", host="tidegate.test", fields="", method="POST", trailers=None):
        """With a length; in chunks when there are trailers."""
        framing = f"Content-Length: {len(body)}" if trailers is None else "Transfer-Encoding: chunked"
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n{fields}\r\n".encode()
        self.send(head + (body if trailers is None else chunked(body, trailers)))
        return self.read_response(method)

    def has_answer(self, seconds=0.0):
        """Something can be read, be it the end."""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def is_closed(self, seconds=5.0):
        """The server ends the connection within the time, and sends nothing more. "fin", "rst" or None (still open)."""
        if self._source.buffer:
            return None
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            data = self._more()
            if data:
                self._source.buffer += data
                return None
            return self.ended
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(before)

    def read_part(self, size):
        """A head and so many bytes of its body. @return the bytes."""
        read_head(self._source)
        return self._source.take(size)

    def read_until_close(self):
        return self._source.rest()

    # --- ending
    def fin(self):
        self.socket.shutdown(socket.SHUT_WR)

    def rst(self):
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.socket.close()

    def close(self):
        self.socket.close()

