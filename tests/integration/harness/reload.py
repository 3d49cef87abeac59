"""What the tests of reloads and binary upgrades share: configurations that differ, exchanges in flight, and load that has to go on."""
import copy
import signal
import socket
import threading

from .client import Client, socket_address
from .origin import ok, serve
from .tidegate import make_config
from .waiting import eventually, stays

TAG = "x-tag"
HANDSHAKE = ("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

# A gate for which five failures of five requests are enough and three are not; at 100 % there is no baseline that it would wait for.
EVIDENCE = {"gate": {"breaker": {"requests": 1000000}, "burst_tolerance": "0s"}, "retry": {"retries": 0}}


def edited(tidegate, edit):
    """Its configuration after edit(configuration)."""
    config = copy.deepcopy(tidegate.config)
    edit(config)
    return config


def reload(tidegate, edit, expect=200):
    """@return what changed; of a file that is refused the error."""
    return tidegate.reload(edited(tidegate, edit), expect)


# --- which configuration an exchange had

tell_tag = serve(lambda request: ok(request.get(TAG) or "none"))


def tag(name, route=0):
    """An edit: requests of the route carry this."""
    def edit(config):
        config["routes"][route]["request_headers"] = {"set": {TAG: name}}
    return edit


def both(*edits):
    def edit(config):
        for one in edits:
            one(config)
    return edit


def tagged_proxy(lab, **options):
    """A Tidegate whose answers say which configuration they were made with, and it is "one": .text()"""
    tidegate = lab.proxy(lab.origin(tell_tag), route={"request_headers": {"set": {TAG: "one"}}}, **options)
    tidegate.text = lambda: lab.client(tidegate).get("/").text
    assert tidegate.text() == "one"
    return tidegate


def other_cluster(to):
    """An edit: nothing of what was there before is left but the listener."""
    def edit(config):
        config["clusters"] = {"blue": {"endpoints": [to.address]}, "green": {"endpoints": [to.address]}}
        config["routes"] = [{"name": "colours", "old": "blue", "new": "green"}]
    return edit


def prefix(name, path, **more):
    return {"name": name, "match": {"path": {"prefix": path}}, **more}


def reloads(tidegate, result):
    return tidegate.api.metric("tidegate_config_reloads_total", result=result)


# --- what is refused

def unchanged(tagged, failures):
    """Everything is as it was, and a good file is still taken."""
    assert tagged.text() == "one"
    assert (reloads(tagged, "success"), reloads(tagged, "failure")) == (0, failures)
    assert tagged.api.get("/readyz").status == 200


def refused(tagged, *words):
    """By each way, with these words, and nothing has changed. @return the message of the API"""
    answer = tagged.api.call("POST", "/api/v1/reload", {})
    assert answer.status == 422, answer
    error = answer.json["error"]
    assert error["code"] == "invalid" and all(word in error["message"] for word in words), error
    unchanged(tagged, 1)
    done = tagged.cli("reload")
    assert done.returncode == 1 and all(word in done.stdout + done.stderr for word in words), done
    unchanged(tagged, 2)
    seen = len(tagged.lines)
    tagged.signal(signal.SIGHUP)
    eventually(lambda: all(word in "\n".join(tagged.lines[seen:]) for word in words), f"{words} in the log")
    eventually(lambda: reloads(tagged, "failure") == 3, "the third refusal")
    unchanged(tagged, 3)
    return error["message"]


# --- exchanges in flight

class Held:
    """An origin that answers /held in two halves, the second one when it is released, and /late then, with late_status. It takes uploads,
    and echoes what is upgraded."""

    late_status = "200 OK"

    def __init__(self, lab, name="first", **options):
        self.name, self.go = name, threading.Event()
        self.origin = lab.origin(self._script, **options)
        self.address = self.origin.address

    def _script(self, connection):
        while request := connection.read_head():
            if request.get("upgrade"):
                connection.send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
                while data := connection._source.some(65536):
                    connection.send(data)
            elif request.target == "/held":
                connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.name) + 7}\r\n\r\n{self.name} ")
                connection.wait(self.go, 60)
                connection.send("whole.")
            else:
                connection.read_body(request)
                if not request.complete:
                    return
                status = "200 OK"
                if request.target == "/late":
                    connection.wait(self.go, 60)
                    status = self.late_status
                connection.send(ok(f"{self.name} {len(request.body)}", status))

    @property
    def whole(self):
        return f"{self.name} whole."

    def asked(self, target):
        return sum(1 for request in list(self.origin.requests) if request.target == target)


class Tunnel:
    """A connection that was upgraded, through a Tidegate to a Held."""

    def __init__(self, lab, tidegate):
        self.client = lab.client(tidegate)
        self.client.send(HANDSHAKE)
        assert self.client.read_informational()[0] == 101

    def echoes(self, text):
        self.client.send(text)
        assert self.client._source.take(len(text)) == text.encode()
        return True


def refuses(address):
    """Nobody listens there, now."""
    try:
        Client(address, timeout=2).close()
        return False
    except OSError:
        return True


def listen_on(address):
    """A socket of somebody else."""
    made = socket.socket(socket.AF_UNIX if address.startswith("unix:") else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)     # beside the one that holds a free port
    made.bind(socket_address(address))
    made.listen(8)
    return made


# --- what is served

def tls(*identities, **more):
    return {"tls": {"certificates": [identity.files() for identity in identities], **more}}


def serial_served(tidegate, pki, address=None, **options):
    with Client(address or tidegate.address, tls=pki.client(**options)) as client:
        assert client.get("/").status == 200
        return client.socket.getpeercert()["serialNumber"].lstrip("0")


def is_served(identity, tidegate, pki):
    return serial_served(tidegate, pki) == identity.serial.lstrip("0")


NAME = "api.test"


def named(server, origin, **more):
    return make_config(f"{NAME}:{origin.address.rsplit(':', 1)[1]}", dns={"servers": [server.address], "timeout": "200ms"}, **more)


# --- load

def goes_on(*loads, requests=100, seconds=60):
    """Waits until each of them has made so many requests more."""
    marks = [load.total + requests for load in loads]
    eventually(lambda: all(load.total >= mark for load, mark in zip(loads, marks)), f"{requests} more requests of {loads}", seconds)


def counters(tidegate):
    """{series: value} of all that may only grow, gauges left out."""
    return {series: value for series, value in tidegate.api.metrics().items()
            if series[0].endswith(("_total", "_bucket", "_count", "_sum"))}


def goes_on_changing(value, seconds=0.5):
    """Whether the value is another one a while later."""
    before = value()
    try:
        stays(lambda: value() == before, seconds=seconds)
        return False
    except AssertionError:
        return True
