"""A name server whose answers are a script: UDP and TCP on one port of 127.0.0.1, one thread each."""
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def wire_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def a(address, ttl=1, name=None):
    """A record; its name is the one that was asked for unless another is given."""
    return name, A, ttl, socket.inet_aton(address)


def aaaa(address, ttl=1, name=None):
    return name, AAAA, ttl, socket.inet_pton(socket.AF_INET6, address)


def cname(target, ttl=1, name=None):
    return name, CNAME, ttl, wire_name(target)


class Query:
    def __init__(self, data, tcp):
        self.tcp = tcp
        self.id = struct.unpack("!H", data[:2])[0]
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode())
            at += 1 + data[at]
        self.name = ".".join(labels).lower()
        self.type = struct.unpack("!H", data[at + 1:at + 3])[0]

    def __repr__(self):
        return f"<{self.name} {self.type}{' tcp' if self.tcp else ''}>"

    def reply(self, records=(), code=NOERROR, truncated=False, id=None, question=None):
        """The bytes of an answer."""
        flags = 0x8180 | code | (0x0200 if truncated else 0)
        asked = wire_name(question or self.name)
        out = struct.pack("!6H", self.id if id is None else id, flags, 1, len(records), 0, 0) + asked + struct.pack("!2H", self.type, 1)
        for name, kind, ttl, data in records:
            out += wire_name(name or self.name) + struct.pack("!2HIH", kind, 1, ttl & 0xffffffff, len(data)) + data
        return out


class NameServer:
    """`script(query)` gives the answers to send: bytes, a list of bytes, or None for silence. Set it at any time."""

    def __init__(self, script=None):
        self.script = script
        self.queries = []
        self.errors = []
        for _ in range(20):  # one port that is free for both
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind(("127.0.0.1", self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen(16)
        self.address = f"127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=serve, daemon=True) for serve in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def answers(self, *records, code=NOERROR):
        """From now on this to everything; records of the type that was asked for, and aliases."""
        self.script = lambda query: query.reply([r for r in records if r[1] in (query.type, CNAME)], code)
        return self

    def asked(self, name=None, kind=None):
        return sum(1 for q in list(self.queries) if name in (None, q.name) and kind in (None, q.type))

    def _answers(self, data, tcp):
        query = Query(data, tcp)
        self.queries.append(query)
        try:
            out = self.script(query) if self.script else None
        except Exception as error:  # noqa: B902 - shown by the lab at the end
            self.errors.append(repr(error))
            out = None
        return [] if out is None else [out] if isinstance(out, bytes) else out

    def _serve_udp(self):
        while True:
            try:
                data, peer = self.udp.recvfrom(4096)
                if not data:  # close() wakes it so
                    return
                for answer in self._answers(data, tcp=False):
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    while size := connection.recv(2, socket.MSG_WAITALL):
                        data = connection.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
                        for answer in self._answers(data, tcp=True):
                            connection.sendall(struct.pack("!H", len(answer)) + answer)
                except (OSError, struct.error):
                    pass

    def close(self):
        for one in (self.udp, self.tcp):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
