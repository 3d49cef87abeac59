"""gRPC through Tidegate: statuses, trailers, streams and deadlines stay whole, with and without TLS. Issue 5 point 3, PRODUCT §3."""
import collections
import queue
import threading

import pytest

from harness import Authority, eventually
from harness.ports import refusing_address

grpc = pytest.importorskip("grpc")


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Calls(grpc.GenericRpcHandler):
    """unary answers what it got; `fail` aborts with INTERNAL, `wait` waits; collect joins; bidi echoes."""

    def __init__(self, name):
        self.name = name
        self.release = threading.Event()

    def service(self, details):
        if details.method == "/t/unary":
            return grpc.unary_unary_rpc_method_handler(self.unary)
        if details.method == "/t/collect":
            return grpc.stream_unary_rpc_method_handler(lambda requests, _: b"".join(requests))
        if details.method == "/t/bidi":
            return grpc.stream_stream_rpc_method_handler(lambda requests, _: (request for request in requests))
        return None

    def unary(self, request, context):
        if request == b"fail":
            context.abort(grpc.StatusCode.INTERNAL, "boom")
        if request == b"wait":
            self.release.wait(10)
        context.set_trailing_metadata((("x-side", self.name),))
        return request


class CallServer:
    def __init__(self, name, identity=None):
        from concurrent import futures
        self.calls = Calls(name)
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((self.calls,))
        port = self.server.add_insecure_port("127.0.0.1:0") if identity is None else self.server.add_secure_port(
            "127.0.0.1:0", grpc.ssl_server_credentials([(read(identity.key), read(identity.cert))]))
        self.address = f"127.0.0.1:{port}"
        self.server.start()

    def close(self):
        self.calls.release.set()
        self.server.stop(None).wait()


@pytest.fixture(params=["h2c", "tls"])
def calls(request, lab):
    """(old, new, Tidegate, a channel to it), with and without TLS on both legs."""
    secure = request.param == "tls"
    authority = Authority(lab.directory / "authority") if secure else None
    identity = authority.issue() if secure else None
    old, new = (lab.keep(CallServer(name, identity)) for name in ("old", "new"))
    listener = {"tls": {"certificates": [identity.files()]}} if secure else {"h2c": True}
    cluster = {"protocol": "http2", **({"tls": {"ca": authority.ca}} if secure else {})}
    tidegate = lab.proxy(old, new, listener=listener, cluster=cluster,
                         route={"gate": {"breaker": {"requests": 10, "for": "0s"}}, "mirror": {"percent": 0, "methods": ["POST"]}})
    target = "localhost:" + tidegate.address.split(":")[1]
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(read(authority.ca))) if secure else grpc.insecure_channel(target)
    return old, new, tidegate, lab.keep(channel)


def counted(tidegate, side, code):
    return sum(value for (name, labels), value in tidegate.api.metrics().items()
               if name == "grpc_requests_total" and {("side", side), ("grpc_code", str(code))} <= labels)


def test_grpc_calls_trailers_and_streams_stay_whole_while_weights_change(calls):
    old, new, tidegate, channel = calls
    unary, bidi = channel.unary_unary("/t/unary"), channel.stream_stream("/t/bidi")
    sides = collections.Counter()
    echoed = bidi(iter([b"%d" % i for i in range(500)]), timeout=40)
    for weight in (0, 25, 50, 75, 100):
        tidegate.api.weight(weight)
        for _ in range(40):
            answer, call = unary.with_call(b"hello", timeout=20)
            assert answer == b"hello"
            sides[dict(call.trailing_metadata())["x-side"]] += 1
    assert list(echoed) == [b"%d" % i for i in range(500)]
    assert abs(sides["new"] - 100) <= 3, sides
    eventually(lambda: counted(tidegate, "old", 0) + counted(tidegate, "new", 0) == 201, "the counts", 10)


def test_a_grpc_status_reverts_though_its_http_status_is_200(calls):
    old, new, tidegate, channel = calls
    tidegate.api.weight(50)
    unary = channel.unary_unary("/t/unary")

    def reverted():
        for _ in range(10):
            try:
                unary(b"fail" if not tidegate.api.route()["latched"] else b"fine", timeout=20)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.INTERNAL and error.details() == "boom"
        return counted(tidegate, "new", 13) >= 10 and counted(tidegate, "old", 13) >= 10

    # Both sides fail alike, so this is held: the gate counted grpc:13 on both.
    eventually(reverted, "the counts of grpc:13", 20, 0.01)
    assert tidegate.api.route()["gate"]["reason"] in ("shared_degradation", "observing", "attribution", "worse_than_old", "hard_breaker")


@pytest.mark.one_worker
def test_a_grpc_failure_of_tidegates_own_is_a_status_of_grpc(lab):
    gone = refusing_address()
    tidegate = lab.proxy(gone, gone, listener={"h2c": True}, cluster={"protocol": "http2"})
    channel = lab.keep(grpc.insecure_channel(tidegate.address))
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/t/unary")(b"x", timeout=20)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE and "upstream failure" in raised.value.details()


@pytest.mark.one_worker
def test_a_grpc_clients_own_deadline_is_nobodys_failure(calls):
    old, _, tidegate, channel = calls
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/t/unary")(b"wait", timeout=0.3)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    failures = sum(value for (name, labels), value in tidegate.api.metrics().items()
                   if name == "tidegate_upstream_failures_total" and ("reason", "canceled") not in labels)
    assert failures == 0


def test_unary_and_client_streaming_calls_are_mirrored_and_bidirectional_streams_are_counted_as_not(calls):
    old, new, tidegate, channel = calls
    tidegate.api.mirror(100)
    assert channel.unary_unary("/t/unary")(b"one", timeout=20) == b"one"
    assert channel.stream_unary("/t/collect")(iter([b"%d " % i for i in range(50)]), timeout=20) == b"".join(b"%d " % i for i in range(50))
    eventually(lambda: tidegate.api.route()["mirror"]["mirrored"] == 2, "two copies", 10)
    ask = queue.SimpleQueue()
    answers = channel.stream_stream("/t/bidi")(iter(ask.get, None), timeout=20)
    for word in (b"a", b"b"):
        ask.put(word)
        assert next(answers) == word
    eventually(lambda: tidegate.api.route()["mirror"]["dropped"]["bidirectional"] == 1, "the copy's end", 10)
    ask.put(b"c")
    assert next(answers) == b"c", "the original goes on"
    ask.put(None)
    assert list(answers) == []
    mirror = tidegate.api.route()["mirror"]
    assert mirror["received"] == 3 and sum(mirror["dropped"].values()) == 1
