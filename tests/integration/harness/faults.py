"""Upstream faults by name, as scripts of an origin: what a side can do to an exchange over HTTP/1.1. Those of HTTP/2 are in
faults_http2.py; what each comes to is the table of test_fault_matrix.py."""
import socket

from .origin import ok
from .ports import refusing_address

CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
EARLY_SIZE, EARLY_SENT = 1024 * 1024, 1000     # of a POST that is answered early: what its head announces, and what is sent of it


class Fault:
    """`play(connection)` for each connection, or `address(keep)` of something that is no origin."""

    def __init__(self, play=None, address=None, timeouts=None, early=False, protocol="http1"):
        """@param timeouts of the cluster, where they are what ends the fault. @param early the POST holds its body back."""
        self.play, self.address, self.early, self.protocol = play, address, early, protocol
        self.timeouts = timeouts or {}


def never_connects(keep):
    """A listener whose backlog is full: the kernel drops every SYN."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    keep(listener)
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        keep(filler)
    return "127.0.0.1:%d" % listener.getsockname()[1]


def never_accepts(keep):
    """The kernel makes the connections, nobody takes them."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    keep(listener)
    return "127.0.0.1:%d" % listener.getsockname()[1]


LATER = object()    # among the parts of sends(): not before the client has something of what was sent until here


def plays(connection, parts, then, read_request, bytes_of=lambda part: part):
    """Reads a request, sends the parts and waits for the other end; or reads the `next` one, or ends with `fin`, or with `rst`."""
    while read_request():
        for part in parts:
            if part is LATER:
                connection.wait(connection.origin.delivered)
            else:
                connection.send(bytes_of(part))
        if then == "next":
            continue
        if then == "rst":
            connection.rst()
        elif then != "fin":
            connection.wait_for_end()
        return


def sends(*parts, then="wait"):
    """As plays(): each part is bytes, or LATER."""
    return lambda connection: plays(connection, parts, then, connection.read_request)


def resets_at_the_first_byte(connection):
    connection.socket.recv(1)
    connection.rst()


def trickles(head, body):
    """These bytes, one by one, as they can be sent; no pause is needed for each to be a read of its own now and then."""
    def play(connection):
        while connection.read_request():
            for byte in (head + body).encode():
                connection.send(bytes([byte]))
    return play


def trickles_without_end(connection):
    """A head that never ends, a byte each 20 ms: progress, and no answer."""
    connection.read_request()
    connection.send("HTTP/1.1 200 OK\r\nX: ")
    while not connection.over.wait(0.02):
        connection.send("y")


def answers_early(fields="", then="wait"):
    """The whole answer as soon as the request's head is there."""
    def play(connection):
        while request := connection.read_head():
            if request.method == "POST":    # read as far as it comes, or the close would be a reset
                connection._source.take(EARLY_SENT)
            connection.send(ok("early", "403 Forbidden", fields))
            if then == "fin":
                return
            if request.method == "POST":
                connection.wait_for_end()
                return
    return play


QUICK_CONNECT, QUICK_HEAD, QUICK_BODY = {"connect": "200ms"}, {"response_header": "300ms"}, {"idle": "300ms"}

HTTP1 = {
    # before there is a connection, or a head
    "refuses": Fault(address=lambda keep: refusing_address()),
    "drops every SYN": Fault(address=never_connects, timeouts=QUICK_CONNECT),
    "never accepts": Fault(address=never_accepts, timeouts=QUICK_HEAD),
    "says nothing": Fault(sends(), timeouts=QUICK_HEAD),
    "closes at once": Fault(lambda connection: None),
    "resets at the request's first byte": Fault(resets_at_the_first_byte, early=True),
    "closes before the head": Fault(sends(then="fin")),
    "resets before the head": Fault(sends(then="rst")),
    # in the head
    "closes in the head": Fault(sends("HTTP/1.1 200 OK\r\nX: ", then="fin")),
    "resets in the head": Fault(sends("HTTP/1.1 200 OK\r\nX: ", then="rst")),
    "stops in the head": Fault(sends("HTTP/1.1 200 OK\r\nX: "), timeouts=QUICK_HEAD),
    "head trickles past its time": Fault(trickles_without_end, timeouts=QUICK_HEAD),
    "head and body trickle in time": Fault(trickles("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "trickling")),
    # in the body
    "closes in a counted body": Fault(sends(COUNTED, "half", LATER, then="fin")),
    "resets in a counted body": Fault(sends(COUNTED, "half", LATER, then="rst")),
    "stops in a counted body": Fault(sends(COUNTED, "half"), timeouts=QUICK_BODY),
    "closes in a chunk": Fault(sends(CHUNKED, "a\r\nhalf", LATER, then="fin")),
    "resets in a chunk": Fault(sends(CHUNKED, "a\r\nhalf", LATER, then="rst")),
    "closes between chunks": Fault(sends(CHUNKED, "4\r\nhalf\r\n", LATER, then="fin")),
    "stops between chunks": Fault(sends(CHUNKED, "4\r\nhalf\r\n"), timeouts=QUICK_BODY),
    "closes in the trailers": Fault(sends(CHUNKED, "4\r\nhalf\r\n0\r\nX: y\r\n", LATER, then="fin")),
    "bad chunk size": Fault(sends(CHUNKED, "4\r\nhalf\r\n", LATER, "zz\r\n")),
    "chunk size beyond 64 bits": Fault(sends(CHUNKED, "4\r\nhalf\r\n", LATER, "10000000000000000\r\n")),
    "chunk without its CRLF": Fault(sends(CHUNKED, "4\r\nhalf\r\n", LATER, "4\r\nhalfway\r\n")),
    "resets a body that ends with the connection": Fault(sends("HTTP/1.1 200 OK\r\n\r\n", "half", LATER, then="rst")),
    "closes a body that ends with the connection": Fault(sends("HTTP/1.1 200 OK\r\n\r\n", "whole", then="fin")),
    # another length than it says
    "more body than Content-Length": Fault(sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole and more")),
    "two responses to one request": Fault(sends(ok("first") + ok("second"))),
    "two Content-Lengths": Fault(sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nwhole")),
    "Content-Length and chunked": Fault(sends(CHUNKED[:-2] + "Content-Length: 5\r\n\r\n5\r\nwhole\r\n0\r\n\r\n")),
    "chunked below another coding": Fault(sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nwhole\r\n0\r\n\r\n")),
    # what is no answer
    "garbage": Fault(sends(b"\x00\x01\x02 garbage\r\n\r\n")),
    "TLS alert": Fault(sends(b"\x15\x03\x01\x00\x02\x02\x46", then="fin")),
    "SETTINGS of HTTP/2": Fault(sends(b"\0\0\0\4\0\0\0\0\0", then="fin")),
    "too long a head": Fault(sends("HTTP/1.1 200 OK\r\nX: " + "y" * 70_000 + "\r\n\r\n")),
    "too many fields": Fault(sends("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 201 + "Content-Length: 0\r\n\r\n")),
    "endless head": Fault(sends("HTTP/1.1 200 OK\r\n" + "X: yyyyyyyyyyyyyyyyyyyy\r\n" * 5000)),
    # informational
    "16 times 103, then 200": Fault(sends("HTTP/1.1 103 Early Hints\r\n\r\n" * 16 + ok("whole").decode(), then="next")),
    "1xx storm": Fault(sends("HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)),
    "1xx and nothing more": Fault(sends("HTTP/1.1 103 Early Hints\r\n\r\n" * 3), timeouts=QUICK_HEAD),
    "101 unasked": Fault(sends("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")),
    # answered, and how
    "answers early and reads no more": Fault(answers_early(), early=True),
    "answers early and closes": Fault(answers_early("Connection: close\r\n", "fin"), early=True),
    "answers 404": Fault(sends(ok("no", "404 Not Found"), then="next")),
    "answers 500": Fault(sends(ok("no", "500 Oops"), then="next")),
    "answers 503": Fault(sends(ok("no", "503 Unavailable", "Retry-After: 1\r\n"), then="next")),
    "closes after each answer, unannounced": Fault(sends(ok("whole"), then="fin")),
}
