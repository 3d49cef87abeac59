"""Endpoints that say of each request whose it was: in processes of their own, which can be killed, stopped and started again on
the same address.

An answer has the request's id, the name of the endpoint, the tag that the route has set, and what came of the body; /bytes/N has N
bytes that are made of the id. What was executed (every POST that was read whole) is a line of a file, also after a kill -9."""
import hashlib
import os
import signal
import subprocess
import sys
import threading

ID, SIDE, TAG, LENGTH, DIGEST, DELAY = "x-request-id", "x-side", "x-tag", "x-body-length", "x-body-digest", "x-delay"
HEALTH = "/healthz"
MIRRORED = "x-tidegate-mirror"


def bytes_of(id, size):
    """What /bytes/`size` answers a request with this id."""
    unit = (id + ".").encode()
    return (unit * (size // len(unit) + 1))[:size]


def digest(body):
    return hashlib.sha256(body).hexdigest()[:16]


class EchoProcess:
    """One endpoint. `kind` is http1 or http2 (by prior knowledge, or over TLS)."""

    def __init__(self, name, directory, host="127.0.0.1", port=0, kind="http1", tls=None):
        """@param port one that is held for it. @param tls an Identity."""
        self.name, self.host, self.port = name, host, port
        self.address = f"{host}:{port}"
        self.executed_path = os.path.join(str(directory), f"{name}.executed")
        self._errors_path = os.path.join(str(directory), f"{name}.errors")
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        program = f"import sys; sys.path.insert(0, {folder!r}); from harness.echoes import main; main(*sys.argv[1:])"
        files = [tls.cert, tls.key] if tls else []
        self._command = [sys.executable, "-c", program, name, host, str(port), kind, self.executed_path, *files]
        self.process = None
        self.stopped = False
        self.begin()

    # --- its life
    def begin(self):
        """Without waiting: .wait_ready()."""
        with open(self._errors_path, "ab") as errors:
            self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                            start_new_session=True)
        return self

    def wait_ready(self):
        assert self.process.stdout.readline() == b"ready\n", f"{self.name} did not start:\n{self._said()}"
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()
        self.stopped = False

    def stop(self, on=True):
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)
        self.stopped = on

    def fail(self, on=True):
        """Every request but health checks is answered 503, and not executed."""
        self.process.send_signal(signal.SIGUSR1 if on else signal.SIGUSR2)

    def is_alive(self):
        return self.process.poll() is None

    def close(self):
        if self.is_alive():
            self.kill()

    # --- what it did
    def executed(self):
        """(id, whether it was a copy) of every POST, in the order of their ends."""
        if not os.path.exists(self.executed_path):
            return []
        with open(self.executed_path) as file:
            return [tuple(line.split()) for line in file.read().splitlines()]

    def _said(self):
        with open(self._errors_path) as file:
            return file.read()[-3000:]

    @property
    def errors(self):
        """For the lab: what its scripts did not expect."""
        said = self._said()
        return [said] if "Traceback" in said or "failed:" in said else []


# --- in the process

class _Echo:
    def __init__(self, name, executed_path):
        self.name = name
        self.failing = False
        self._executed = os.open(executed_path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)

    def answer(self, method, path, get, body):
        """@return status, fields, body"""
        if path == HEALTH:
            return 200, [], b"well"
        id = get(ID) or "none"
        if get(DELAY):
            threading.Event().wait(int(get(DELAY)) / 1000)
        if self.failing:
            return 503, [(ID, id), (SIDE, self.name)], b"failing"
        if method == "POST":
            os.write(self._executed, f"{id} {'copy' if get(MIRRORED) else 'original'}\n".encode())
        fields = [(ID, id), (SIDE, self.name), (TAG, get(TAG) or "none"), (LENGTH, str(len(body))), (DIGEST, digest(body))]
        parts = path.split("?")[0].split("/")
        size = int(parts[-1]) if "bytes" in parts else len(id)
        return 200, fields, bytes_of(id, size)


def _http1(echo):
    from .origin import ok

    def script(connection):
        try:
            converse(connection)
        except OSError:     # the other end has left; over TLS, too
            pass

    def converse(connection):
        while request := connection.read_head():
            if request.get("upgrade"):
                connection.send(f"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{ID}: {request.get(ID)}\r\n"
                                f"{SIDE}: {echo.name}\r\n\r\n")
                while data := connection._source.some(65536):
                    connection.send(data)
                return
            connection.read_body(request)
            if not request.complete:
                return
            status, fields, body = echo.answer(request.method, request.target, request.get, request.body)
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
            connection.send(ok(body if request.method != "HEAD" else b"", f"{status} X", lines))
            connection.origin.requests.clear()
    return script


def main(name, host, port, kind, executed_path, cert=None, key=None):
    import ssl

    import h2.exceptions

    from .http2 import Http2Origin
    from .origin import Origin
    echo = _Echo(name, executed_path)
    signal.signal(signal.SIGUSR1, lambda *_: setattr(echo, "failing", True))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(echo, "failing", False))
    context = None
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        context.set_alpn_protocols(["h2"] if kind == "http2" else ["http/1.1"])

    class Streams(Http2Origin):
        def _converse(self, connection):
            try:
                super()._converse(connection)
            except h2.exceptions.ProtocolError:     # the h2 library answers nothing any more after a GOAWAY
                pass

    options = {"host": host, "port": int(port), "tls": context}
    if kind == "http2":
        origin = Streams(lambda r: (*echo.answer(r.method, r.path, r.headers.get, r.body), ()), **options)
    else:
        origin = Origin(_http1(echo), record=False, **options)
    print("ready", flush=True)
    while True:
        threading.Event().wait(0.2)
        while origin.errors:
            print("failed:", origin.errors.pop(), file=sys.stderr, flush=True)
        origin.requests.clear()
        if len(origin.connections) > 1000:
            with origin.lock:
                origin.connections[:] = [one for one in origin.connections if not one.over.is_set()]
