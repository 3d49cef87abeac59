"""What systemd hands over and is told: sockets, READY, WATCHDOG, STOPPING; a worker that does not turn. Issue 6 points 5 and 6."""
import ctypes
import os
import socket

import pytest

from harness import eventually, ok, serve
from harness.tidegate import make_config

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


class Notified:
    """The socket of sd_notify(3)."""

    def __init__(self, lab):
        self.path = str(lab.directory / "notify")
        self.socket = lab.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.heard = []

    def listen(self):
        """Who tells waits while nobody reads."""
        try:
            while True:
                self.heard += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self.heard

    def hears(self, text):
        eventually(lambda: text in self.listen(), f"{text} to be told; heard {self.heard}", 20)


def test_it_says_when_it_is_ready_that_it_lives_and_when_it_stops(lab):
    told = Notified(lab)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), process={"env": {"NOTIFY_SOCKET": told.path, "WATCHDOG_USEC": "400000"}})
    told.hears("READY=1")
    assert any(line.startswith("STATUS=tidegate ") for line in told.heard)
    for _ in range(3):
        told.heard.clear()
        told.hears("WATCHDOG=1")
    tidegate.terminate()
    told.hears("STOPPING=1")


def test_a_worker_that_does_not_turn_is_told_of_and_the_watchdog_is_not_fed(lab):
    told = Notified(lab)
    tidegate = lab.proxy(lab.origin(serve(ok("old"))), workers=2, process={"env": {"NOTIFY_SOCKET": told.path, "WATCHDOG_USEC": "400000"}})
    task = next(tid for tid in os.listdir(f"/proc/{tidegate.process.pid}/task")
                if open(f"/proc/{tidegate.process.pid}/task/{tid}/comm").read() == "worker-1\n")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_SEIZE, int(task), None, None) != 0:
        pytest.skip("ptrace is not allowed here")
    libc.ptrace(PTRACE_INTERRUPT, int(task), None, None)
    os.waitpid(int(task), 0x40000000)   # __WALL
    try:
        eventually(lambda: told.listen() and "worker-1 has not turned for 5 s" in tidegate.output, "the news", 20)
        assert "worker-0" not in tidegate.output
    finally:
        libc.ptrace(PTRACE_DETACH, int(task), None, None)
    tidegate.logs("worker-1 turns again")
    told.heard.clear()
    told.hears("WATCHDOG=1")


def listening(lab):
    listener = lab.keep(socket.create_server(("127.0.0.1", 0), backlog=100))
    return listener, "127.0.0.1:%d" % listener.getsockname()[1]


def test_a_socket_that_is_handed_over_is_served_by_every_worker_and_outlives_a_restart(lab):
    listener, address = listening(lab)
    config = {**make_config(lab.origin(serve(ok("old")))), "workers": 2, "listeners": [{"address": address}]}
    first = lab.tidegate(config, listener=listener)
    assert first.address == address
    clients = [lab.client(address) for _ in range(20)]
    assert all(client.get("/").text == "old" for client in clients)
    for client in clients:
        client.close()
    assert first.terminate() == 0
    waiting = lab.client(address)   # nobody serves it, and it is not refused
    second = lab.tidegate(config, listener=listener)
    assert waiting.get("/").text == "old" and second.address == address


def test_a_socket_that_no_listener_asks_for_is_an_error_that_names_it(lab):
    listener, address = listening(lab)
    with pytest.raises(AssertionError, match=f"a socket was handed over for {address}"):
        lab.tidegate(make_config(lab.origin(serve(ok("old")))), listener=listener)
