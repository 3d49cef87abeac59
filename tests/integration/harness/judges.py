"""Two strict readers of HTTP/1.1, which share nothing: the grammar of RFC 9112 as regular expressions, and the h11 library. What Tidegate
sends has to be the same messages to both, or it is not one unambiguous form. They raise where a byte is not as it must be."""
import re
from collections import namedtuple

import h11

Message = namedtuple("Message", "start fields body trailers")    # start: (method, target), or a status; names in small letters

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = rb"(?:[\x21-\x7e\x80-\xff](?:[ \t\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") (/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1\r\n")
HOST = re.compile(rb"(?:\[[0-9a-fA-F:.]+\]|[0-9A-Za-z._~!$&'()*+;=%-]+)(?::[0-9]+)?")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\t \x21-\x7e\x80-\xff]*)\r\n")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*(" + VALUE + rb")[ \t]*\r\n")
CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})\r\n")    # an extension may come in, none may go out
LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
SINGLE = (b"host", b"content-length", b"transfer-encoding")


class NotHttp(AssertionError):
    pass


class Incomplete(AssertionError):
    """The bytes end within a message."""


class Grammar:
    """Of RFC 9112 without what it only tolerates: no bare LF, no fold, no blank before a colon, one length in one form."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def _match(self, what, name):
        found = what.match(self.data, self.at)
        if found is None:
            rest = self.data[self.at:]
            raise (NotHttp if b"\r\n" in rest else Incomplete)(f"no {name} at {rest[:80]!r}")
        self.at = found.end()
        return found

    def _fields(self):
        fields = []
        while not self.data.startswith(b"\r\n", self.at):
            found = self._match(FIELD, "field")
            fields.append((found[1].lower(), found[2]))
        self.at += 2
        return fields

    def _head(self):
        fields = self._fields()
        for name in SINGLE:
            if sum(1 for key, _ in fields if key == name) > 1:
                raise NotHttp(f"{name} twice")
        values = dict(fields)
        if b"transfer-encoding" in values and (b"content-length" in values or values[b"transfer-encoding"] != b"chunked"):
            raise NotHttp(f"framing: {fields}")
        if b"content-length" in values and not LENGTH.fullmatch(values[b"content-length"]):
            raise NotHttp(f"length {values[b'content-length']!r}")
        return fields, values

    def _take(self, size):
        if self.at + size > len(self.data):
            raise Incomplete(f"{size} bytes wanted")
        self.at += size
        return self.data[self.at - size:self.at]

    def _chunks(self):
        body = b""
        while size := int(self._match(CHUNK, "chunk")[1], 16):
            body += self._take(size)
            if self._take(2) != b"\r\n":
                raise NotHttp("no CRLF after a chunk")
        return body, self._fields()

    def _body(self, values):
        """@return body, trailers, whether its end is known"""
        if b"transfer-encoding" in values:
            return (*self._chunks(), True)
        if b"content-length" in values:
            return self._take(int(values[b"content-length"])), [], True
        return b"", [], False

    def requests(self):
        while self.at < len(self.data):
            line = self._match(REQUEST_LINE, "request line")
            fields, values = self._head()
            if not HOST.fullmatch(values.get(b"host", b"")) or (line[2] == b"*" and line[1] != b"OPTIONS"):
                raise NotHttp(f"host or target: {line[0]} {fields}")
            yield Message((line[1], line[2]), fields, *self._body(values)[:2])

    def responses(self, methods):
        for method in methods:
            status = 100
            while status < 200:
                status = int(self._match(STATUS_LINE, "status line")[1])
                fields, values = self._head()
                bare = method == "HEAD" or status < 200 or status in (204, 304)
                if (status < 200 or status == 204) and (b"content-length" in values or b"transfer-encoding" in values):
                    raise NotHttp(f"a length with {status}")
                body, trailers, known = (b"", [], True) if bare else self._body(values)
                if not known:
                    body, self.at = self.data[self.at:], len(self.data)
                yield Message(status, fields, body, trailers)
        if self.at != len(self.data):
            raise NotHttp(f"more than was asked for: {self.data[self.at:][:80]!r}")


def _messages(connection, start, next_one):
    """What h11 makes of what it was given."""
    current = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if current is not None or connection.trailing_data[0]:
                raise Incomplete("within a message")
            return
        if isinstance(event, (h11.Request, h11.Response, h11.InformationalResponse)):
            current = Message(start(event), [(bytes(n), bytes(v)) for n, v in event.headers], b"", [])
            if isinstance(event, h11.InformationalResponse):
                yield current
                current = None
        elif isinstance(event, h11.Data):
            current = current._replace(body=current.body + bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            yield current._replace(trailers=[(bytes(n), bytes(v)) for n, v in event.headers])
            current = None
            if not next_one():
                return
        else:
            return


class Library:
    def __init__(self, data):
        self.data = data

    def requests(self):
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(self.data)

        def answered():
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                if connection.trailing_data[0]:
                    raise NotHttp("bytes after the last request")
                return False
            connection.start_next_cycle()
            return True

        yield from _judged(_messages(connection, lambda event: (bytes(event.method), bytes(event.target)), answered))

    def responses(self, methods):
        rest, left = self.data, list(methods)
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)

        def ask():
            connection.send(h11.Request(method=left.pop(0), target="/", headers=[("host", "a")]))
            connection.send(h11.EndOfMessage())

        def next_one():
            if not left:
                if connection.trailing_data[0]:
                    raise NotHttp("more than was asked for")
                return False
            connection.start_next_cycle()
            ask()
            return True

        ask()
        connection.receive_data(rest)
        connection.receive_data(b"")
        yield from _judged(_messages(connection, lambda event: event.status_code, next_one))


def _judged(messages):
    try:
        yield from messages
    except h11.RemoteProtocolError as error:
        raise (Incomplete if "closed" in str(error) or "incomplete" in str(error) else NotHttp)(str(error)) from error


def _agreed(first, second):
    assert first == second, f"two readings:\n{first}\n{second}"
    return first


def judged_requests(data):
    """The messages that these bytes are to both. Raises where they are none to one of them, or end within one."""
    return _agreed(list(Grammar(data).requests()), list(Library(data).requests()))


def judged_responses(data, methods=("GET",)):
    return _agreed(list(Grammar(data).responses(methods)), list(Library(data).responses(methods)))


def is_refused_by_both(data):
    """No judge sees a whole message in it."""
    for judge in (Grammar, Library):
        seen = []
        try:
            for message in judge(data).requests():
                seen.append(message)
        except AssertionError:
            pass
        if seen:
            return False
    return True
