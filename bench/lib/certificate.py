"""The certificate of a run (ECDSA, P-256, self-signed), made with the openssl program when the first proxy asks for it, and what
is agreed on with it: the same version, suite and group in every proxy."""

import os
import shutil
import socket
import ssl
import subprocess

VERSION, SUITE, GROUP = "TLSv1.3", "TLS_AES_128_GCM_SHA256", "X25519"
SECONDS = 30
CERT, KEY, BOTH = "cert.pem", "key.pem", "both.pem"


def make(directory):
    paths = [os.path.join(directory, name) for name in (CERT, KEY, BOTH)]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", paths[1], "-out", paths[0]],
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=True)
    with open(paths[2], "wb") as both:  # HAProxy wants them in one file
        for path in paths[:2]:
            with open(path, "rb") as one:
                both.write(one.read())


def place(directory, home):
    """Copies it from the run's directory into a proxy's; makes it when there is none."""
    if not os.path.exists(os.path.join(directory, BOTH)):
        make(directory)
    for name in (CERT, KEY, BOTH):
        shutil.copy(os.path.join(directory, name), home)


def agreed(port):
    """(version, suite) of a handshake with a client that offers everything, as wrk does."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, context.wrap_socket(plain) as secure:
        return secure.version(), secure.cipher()[0]
