"""Floods over HTTP/2 at the real program (RFC 9113 10.5): the connection that floods is ended, it costs little, and the others do not feel it.
The limits themselves are unit/http/h2_floods_test.cpp's; tests/RELIABILITY.md has the list."""
import itertools
import threading

import pytest
from hyperframe.frame import ContinuationFrame, HeadersFrame, PingFrame, PriorityFrame, RstStreamFrame, SettingsFrame

from harness import eventually, memory_slack, ok, serve
from harness.frames import GET, data, frames_of, headers, kind

CANCEL, ENHANCE_YOUR_CALM = 8, 11
POST = b"\x83" + GET[1:]


def window_update(stream, increment):
    return b"\0\0\x04\x08\0" + stream.to_bytes(4, "big") + increment.to_bytes(4, "big")


def streams(frames_of_stream):
    """Those of stream 1, 3, 5 ..."""
    return map(frames_of_stream, itertools.count(1, 2))


# name: frames without end
FLOODS = {
    "rapid reset": lambda: streams(lambda i: headers(i, GET, "END_STREAM") + RstStreamFrame(i, CANCEL).serialize()),
    "rapid reset of uploads": lambda: streams(lambda i: headers(i, POST) + data(i, b"x") + RstStreamFrame(i, CANCEL).serialize()),
    "resets by a window update of 0": lambda: streams(lambda i: headers(i, POST) + window_update(i, 0)),
    "resets by a window beyond 2^31": lambda: streams(lambda i: headers(i, POST) + window_update(i, 2**31 - 1)),
    "resets by a malformed head": lambda: streams(lambda i: headers(i, GET + b"\0\1X\1a", "END_STREAM")),
    "SETTINGS": lambda: itertools.repeat(SettingsFrame(0, settings={4: 65535}).serialize()),
    "PING": lambda: itertools.repeat(PingFrame(0, b"12345678").serialize()),
    "PRIORITY": lambda: streams(lambda i: PriorityFrame(i, depends_on=0).serialize()),
    "WINDOW_UPDATE": lambda: itertools.repeat(window_update(0, 1)),
    "unknown frames": lambda: itertools.repeat(b"\0\0\1\xee\0\0\0\0\0a"),
    "DATA without a byte": lambda: itertools.chain([headers(1, POST)], itertools.repeat(data(1, b""))),
    "DATA of padding alone": lambda: itertools.chain([headers(1, POST)], itertools.repeat(data(1, b"", "PADDED"))),
    "CONTINUATION without a byte": lambda: itertools.chain([HeadersFrame(1, GET).serialize()], itertools.repeat(ContinuationFrame(1, b"").serialize())),
    "CONTINUATION": lambda: itertools.chain([HeadersFrame(1, GET).serialize()], itertools.repeat(ContinuationFrame(1, b"\0\1x\1y" * 20).serialize())),
}
AT_ONCE = {"resets by a window update of 0", "CONTINUATION without a byte", "CONTINUATION"}     # the first, or the ninth, is an error of the connection


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_its_own_connection_and_the_others_do_not_feel_it(lab, name):
    origin = lab.origin(serve(ok("x")), record=False)
    tidegate = lab.proxy(origin, listener={"h2c": True})
    others = [lab.client(tidegate), lab.http2_client(tidegate)]
    before = tidegate.rss_mib()
    client = lab.http2_client(tidegate)
    came = []
    reading = threading.Thread(target=read_all, args=(client, came), daemon=True)
    reading.start()
    frames = FLOODS[name]()
    sent = 0
    try:
        while reading.is_alive() and sent < 1_000_000:
            client.peer.socket.sendall(b"".join(itertools.islice(frames, 500)))
            sent += 500
            assert [other.get("/").status for other in others] == [200, 200]
    except OSError:
        pass
    reading.join(20)
    assert not reading.is_alive(), f"not ended after {sent} frames"
    if name not in AT_ONCE:
        assert [frame.error_code for frame in came if kind(frame) == "GoAway"][-1:] == [ENHANCE_YOUR_CALM], came[-3:]
    assert [other.get("/").status for other in others] == [200, 200]
    tidegate.api.counts(2, "tidegate_downstream_connections")
    tidegate.api.counts(0, "tidegate_http_requests_in_flight")
    assert tidegate.rss_mib() - before < 16 * memory_slack()
    assert tidegate.api.failures_of_sides() == 0


def read_all(client, into):
    try:
        into.extend(frames_of(client))
    except OSError:
        pass


def test_requests_that_are_cancelled_do_not_pile_up_at_the_cluster(lab):
    """Of a cluster that never answers. It has 20 connections: only while those that were cancelled give theirs back all the others arrive."""
    origin = lab.origin(lambda c: (c.read_request(), c.wait_for_end()), record=False)
    tidegate = lab.proxy(origin, listener={"h2c": True, "limits": {"h2_streams": 10}}, cluster={"pool": {"connections": 20}})
    client = lab.http2_client(tidegate)
    for start in range(1, 1001, 20):
        ids = range(start, start + 20, 2)
        client.peer.socket.sendall(b"".join(headers(i, GET, "END_STREAM") for i in ids))
        eventually(lambda: len(origin.requests) == (start + 19) // 2, "ten more at the origin")
        client.peer.socket.sendall(b"".join(RstStreamFrame(i, CANCEL).serialize() for i in ids))
    eventually(lambda: origin.open_connections() == 0, "all of them ended")
    tidegate.api.counts(0, "tidegate_http_requests_in_flight")
    assert tidegate.api.failures_of_sides() == 0
