"""Addresses: one to listen on, one that refuses."""
import socket

_held = []


def _hold(reusable):
    """Binds a port for as long as the tests run: the system gives it to nobody who asks for any."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reusable)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return held.getsockname()[1]


def free_port():
    """For a program that has to be told its port. It listens beside the one that holds it, as both set SO_REUSEADDR (NGINX, HAProxy
    and Prometheus do), now and after each of its restarts."""
    return _hold(True)


def refusing_address():
    """Refuses every connection."""
    return f"127.0.0.1:{_hold(False)}"
