"""Large bodies that are known to the byte, and an origin's script that sends and takes them."""
import hashlib

from .origin import ok


def block(size):
    """Bytes that repeat in no power of two."""
    piece = bytes(i % 251 for i in range(251 * 1000))
    return (piece * (size // len(piece) + 1))[:size]


def sha(data):
    return hashlib.sha256(data).hexdigest()


def echo(connection):
    """GET /SIZE: so many bytes. A body: its length and hash."""
    while request := connection.read_head():
        if request.method == "GET":
            connection.send(ok(block(int(request.target[1:]))))
            continue
        digest = hashlib.sha256()
        connection.read_body(request, keep=False, on_data=digest.update)
        connection.send(ok(f"{request.size} {digest.hexdigest()}"))
