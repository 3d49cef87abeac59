"""Addresses: one to listen on, one that refuses."""
import socket

_held = []


def free_port():
    """Bound once to find it. The caller tries again when somebody else was faster."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refusing_address():
    """Refuses every connection for as long as the tests run: the port is bound, so nobody else gets it, and not listened on."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return "127.0.0.1:%d" % held.getsockname()[1]
