"""Large bodies of known length, which go from socket to socket inside the kernel: exact to the byte whatever happens, and
what goes wrong is told as for every other body."""
import collections
import hashlib
import json
import os
import resource
import socket
import threading

import pytest

from harness import Client, eventually, ok
from harness.large import block, echo, sha

pytestmark = pytest.mark.one_worker

KIB, MIB = 1024, 1024 * 1024
PIPES = 64          # of one worker; more transfers than that copy
NO_RETRY = {"retry": {"retries": 0}}


def pipes_of(tidegate):
    """Of which it holds both ends: its output may be a pipe too."""
    targets = collections.Counter(target for target in tidegate.fd_list() if target.startswith("pipe:"))
    return sum(1 for ends in targets.values() if ends == 2)


@pytest.fixture
def proxied(lab):
    origin = lab.origin(echo, record=False)
    tidegate = lab.proxy(origin, route=NO_RETRY, log={"access": {"path": str(lab.directory / "access.log")}})
    tidegate.origin = origin
    return tidegate


def logged(lab, count):
    path = lab.directory / "access.log"

    def lines():
        records = [json.loads(line) for line in path.read_text().splitlines()] if os.path.exists(path) else []
        return records if len(records) >= count else None

    return eventually(lines, f"{count} lines in the access log")


SIZES = [64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 128 * KIB + 1, MIB, 10 * MIB]


def test_bodies_of_every_size_arrive_exact_on_one_connection_and_are_counted_exactly(lab, proxied):
    client = lab.client(proxied)
    for size in SIZES:
        client.send(f"GET /{size} HTTP/1.1\r\nHost: a\r\n\r\n")
        response = client.read_response(keep_body=False)
        assert (response.complete, response.size, response.sha256) == (True, size, sha(block(size)))
        assert client.post(block(size)).text == f"{size} {sha(block(size))}"
    records = logged(lab, 2 * len(SIZES))
    assert [r["bytes_sent"] for r in records[::2]] == SIZES
    assert [r["bytes_received"] for r in records[1::2]] == SIZES
    assert len(proxied.origin.connections) == 1      # a spliced connection is known to be quiet, and kept


def test_the_next_request_in_the_pipeline_is_not_taken_for_a_part_of_the_body(lab, proxied):
    size, next_one = 2 * MIB, b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"
    client = lab.client(proxied)
    for _ in range(3):
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + block(size) + next_one * 2)
        assert client.read_response().text == f"{size} {sha(block(size))}"
        assert [client.read_response().body for _ in range(2)] == [block(3)] * 2


def test_a_client_that_stops_reading_for_a_while_gets_the_rest(lab):
    """The origin is held up by the client, and not by memory of the proxy's."""
    size, sent = 64 * MIB, [0]

    def script(connection):
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        for _ in range(64):
            connection.send(block(MIB))
            sent[0] += 1

    tidegate = lab.proxy(lab.origin(script, record=False))
    client = lab.client(tidegate, receive_buffer=64 * KIB)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    before = [-1]

    def stands():
        last, before[0] = before[0], sent[0]
        return sent[0] > 0 and last == sent[0]

    eventually(stands, "the origin held up", 10, 0.3)
    assert sent[0] < 60
    response = client.read_response(keep_body=False)
    assert (response.complete, response.size, response.sha256) == (True, size, sha(block(MIB) * 64))


@pytest.mark.parametrize("how", ["close", "rst"])
def test_a_client_that_leaves_in_the_middle_ends_the_upstream_request_and_is_499_or_told_in_the_log(lab, how):
    endless = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1000 * MIB}\r\n\r\n")
        try:
            for _ in range(1000):
                connection.send(block(MIB))
        except OSError:
            endless.set()
            raise

    tidegate = lab.proxy(lab.origin(script, record=False), log={"access": {"path": str(lab.directory / "access.log")}})
    with Client(tidegate.address) as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_part(3 * MIB)
        getattr(client, how)()
    assert endless.wait(10), "the origin was never told"
    record = logged(lab, 1)[0]
    assert record["response_flags"] == "DC" and 3 * MIB <= record["bytes_sent"] < 1000 * MIB
    tidegate.has_only_its_own_descriptors(5)


def test_a_client_that_leaves_in_the_middle_of_its_upload_is_499_and_ends_the_upstream_request(lab):
    origin = lab.origin(lambda c: (c.read_head(), c.wait_for_end()), record=False)
    tidegate = lab.proxy(origin, log={"access": {"path": str(lab.directory / "access.log")}})
    with Client(tidegate.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (100 * MIB) + block(5 * MIB))
    assert eventually(lambda: origin.connections and origin.connections[0].over.wait(5), "the upstream's end")
    record = logged(lab, 1)[0]
    assert (record["response_code"], record["response_flags"]) == (499, "DC")
    assert record["bytes_received"] == 5 * MIB


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("sent", [100 * KIB, 3 * MIB, 4 * MIB - 1])
def test_an_upstream_that_ends_in_the_middle_is_never_passed_off_as_complete(lab, how, sent):
    got = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * MIB) + block(sent))
        got.wait(10)        # a reset throws away what is still on its way
        getattr(connection, how)()

    tidegate = lab.proxy(lab.origin(script), route=NO_RETRY, log={"access": {"path": str(lab.directory / "access.log")}})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    part = client.read_part(sent)
    got.set()
    assert part == block(sent) and client.is_closed()
    record = logged(lab, 1)[0]
    assert (record["response_code"], record["bytes_sent"]) == (200, sent)
    tidegate.api.counts(1, "tidegate_upstream_failures_total", reason="reset")


def test_an_upstream_that_stops_in_the_middle_is_given_up_after_its_time(lab):
    def script(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * MIB) + block(MIB))
        connection.wait_for_end()

    tidegate = lab.proxy(lab.origin(script), route=NO_RETRY, cluster={"timeouts": {"idle": "300ms"}})
    client = lab.client(tidegate)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.read_part(MIB) == block(MIB) and client.is_closed()
    tidegate.api.counts(1, "tidegate_upstream_failures_total", reason="timeout")


def test_an_upload_that_stops_in_the_middle_is_408(lab):
    origin = lab.origin(lambda c: (c.read_head(), c.wait_for_end()), record=False)
    tidegate = lab.proxy(origin, listener={"timeouts": {"body_idle": "300ms"}})
    client = lab.client(tidegate)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (4 * MIB) + block(MIB))
    assert client.read_response().status == 408 and client.is_closed()


def test_an_upload_that_is_answered_early_stops(lab):
    def script(connection):
        request = connection.read_head()
        seen = [0]
        while seen[0] < MIB:
            seen[0] += len(connection._source.some(65536))
        connection.send(ok("too big", "413 Content Too Large", "Connection: close\r\n"))
        connection.wait_for_end()
        assert request

    tidegate = lab.proxy(lab.origin(script, record=False))
    client = lab.client(tidegate)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (1000 * MIB) + block(2 * MIB))
    response = client.read_response()
    assert (response.status, response.text, response.complete) == (413, "too big", True)
    assert client.is_closed() is not None
    tidegate.has_only_its_own_descriptors(5)


@pytest.mark.several_threads
def test_more_transfers_at_once_than_there_are_pipes(lab):
    """All are stuck in the middle at the same time, those with a pipe and those without, and go on."""
    count, size = PIPES + 16, 12 * MIB
    body = block(size)

    def script(connection):
        while connection.read_request():
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            connection.send(body)

    tidegate = lab.proxy(lab.origin(script, record=False), cluster={"pool": {"connections": 200}})
    clients = [lab.client(tidegate, receive_buffer=32 * KIB, timeout=40) for _ in range(count)]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: pipes_of(tidegate) >= PIPES, "every pipe in use", 15)
    assert pipes_of(tidegate) == PIPES
    answers = {}

    def finish(number):
        answers[number] = clients[number].read_response(keep_body=False)

    threads = [threading.Thread(target=finish, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert {(a.complete, a.size, a.sha256) for a in answers.values()} == {(True, size, sha(body))} and len(answers) == count
    eventually(lambda: pipes_of(tidegate) == 0, "the idle pipes closed", 10)


@pytest.mark.several_threads
def test_a_mirrored_upload_is_the_same_on_both_sides_and_takes_no_pipe(lab):
    digests = {}

    def script(side):
        def run(connection):
            while request := connection.read_head():
                digest = hashlib.sha256()
                connection.read_body(request, keep=False, on_data=digest.update)
                if request.size:
                    digests[side] = (request.size, digest.hexdigest())
                connection.send(ok("x"))
        return run

    size = 3 * MIB
    tidegate = lab.proxy(lab.origin(script("old"), record=False), lab.origin(script("new"), record=False), weight=0,
                         route={"mirror": {"percent": 100, "methods": ["POST"], "buffer": "64MiB"}})
    client = lab.client(tidegate)
    assert client.post(block(size)).status == 200
    assert pipes_of(tidegate) == 0
    eventually(lambda: len(digests) == 2, "the copy")
    assert digests == {"old": (size, sha(block(size))), "new": (size, sha(block(size)))}


def test_a_body_that_comes_in_large_and_small_pieces_arrives_exact(lab):
    size = 4 * MIB

    def script(connection):
        while connection.read_request():
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
            body, at = block(size), 0
            while at < size:
                for piece in (70_000, 1, 200_000, 3, 17, 90_000, 5_000):
                    connection.send(body[at:at + piece])
                    at += piece

    client = lab.client(lab.proxy(lab.origin(script)))
    for _ in range(3):
        response = client.get("/")
        assert response.complete and response.body == block(size)


def test_an_urgent_byte_in_an_upload_is_skipped_as_ever(lab, proxied):
    size = 4 * MIB
    client = lab.client(proxied)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    client.send(block(size)[:MIB])
    client.socket.send(b"!", socket.MSG_OOB)
    client.send(block(size)[MIB:])
    assert client.read_response().text == f"{size} {sha(block(size))}"


@pytest.mark.several_threads
def test_without_descriptors_for_pipes_bodies_are_copied(lab):
    """The last descriptors are taken while transfers run."""
    origin = lab.origin(echo, record=False)
    tidegate = lab.proxy(origin)
    client = lab.client(tidegate)
    assert client.get("/1").status == 200           # both connections are there
    tidegate.api.counts(1, "http_requests_total")
    limits = resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE, (1, limits[1]))
    client.send(f"GET /{4 * MIB} HTTP/1.1\r\nHost: a\r\n\r\n")
    response = client.read_response(keep_body=False)
    assert (response.complete, response.sha256) == (True, sha(block(4 * MIB)))
    assert pipes_of(tidegate) == 0
    resource.prlimit(tidegate.pid, resource.RLIMIT_NOFILE, limits)
