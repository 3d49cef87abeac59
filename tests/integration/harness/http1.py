"""A strict little HTTP/1 reader over a byte source, for both directions. Says when something is cut, never guesses."""


class Cut(Exception):
    """The bytes ended before the message did."""


class Malformed(Exception):
    pass


class Source:
    """Buffered bytes; `more()` gives the next ones, b"" at the end."""

    def __init__(self, more):
        self._more = more
        self.buffer = b""
        self.taken = b""

    def _pull(self):
        data = self._more()
        if not data:
            raise Cut(self.buffer)
        self.buffer += data

    def take(self, size):
        parts = []
        left = size
        while left > 0:
            if not self.buffer:
                self._pull()
            part = self.buffer[:left]
            self.buffer = self.buffer[len(part):]
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def some(self, most):
        """What is there, at least a byte."""
        if not self.buffer:
            self._pull()
        out, self.buffer = self.buffer[:most], self.buffer[most:]
        return out

    def until(self, mark):
        while mark not in self.buffer:
            self._pull()
        at = self.buffer.index(mark) + len(mark)
        out, self.buffer = self.buffer[:at], self.buffer[at:]
        return out

    def rest(self):
        parts = [self.buffer]
        self.buffer = b""
        while True:
            data = self._more()
            if not data:
                return b"".join(parts)
            parts.append(data)

    def at_end(self):
        if self.buffer:
            return False
        self.buffer = self._more()
        return not self.buffer


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name.strip() != name:
            raise Malformed(line)
        fields.append((name.decode("latin1").lower(), value.strip(b" \t").decode("latin1")))
    return fields


def read_head(source):
    raw = source.until(b"\r\n\r\n")
    lines = raw[:-4].split(b"\r\n")
    return raw, lines[0].decode("latin1"), parse_fields(lines[1:])


def read_chunks(source, on_data):
    """@return the trailers; data goes to on_data as it comes."""
    while True:
        line = source.until(b"\r\n")[:-2]
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        left = size
        while left > 0:
            part = source.some(min(left, 65536))
            on_data(part)
            left -= len(part)
        if source.take(2) != b"\r\n":
            raise Malformed("no CRLF after a chunk")
    trailers = []
    while True:
        line = source.until(b"\r\n")[:-2]
        if not line:
            return parse_fields(trailers)
        trailers.append(line)


def chunked(body, trailers=()):
    """The bytes of a body in one chunk, and trailers."""
    data = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    return data + b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers).encode() + b"\r\n"


class Fields:
    """Look-ups shared by requests and responses."""

    fields = ()

    def all(self, name):
        return [value for key, value in self.fields if key == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else default

    def names(self):
        return [key for key, _ in self.fields]
