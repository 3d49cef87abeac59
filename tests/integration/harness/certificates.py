"""Certificates for one test, made by the openssl command line: an authority and what it issues, as PEM files."""
import os
import ssl
import subprocess
import time


def openssl(*arguments, stdin=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Identity:
    """.cert, .key: paths."""

    def __init__(self, stem):
        self.stem = str(stem)
        self.cert, self.key = self.stem + ".crt", self.stem + ".key"

    def files(self, **more):
        """As the configuration names them."""
        return {"cert": self.cert, "key": self.key, **more}

    @property
    def fingerprint(self):
        return openssl("x509", "-in", self.cert, "-noout", "-fingerprint", "-sha256").decode().split("=")[1].strip().replace(":", "").lower()

    @property
    def serial(self):
        return openssl("x509", "-in", self.cert, "-noout", "-serial").decode().split("=")[1].strip()

    @property
    def not_after(self):
        text = openssl("x509", "-in", self.cert, "-noout", "-enddate").decode().split("=")[1].strip()
        return ssl.cert_time_to_seconds(text)


class Authority:
    def __init__(self, directory, name="Test Authority"):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.ca, self._key = os.path.join(self.directory, "ca.pem"), os.path.join(self.directory, "ca.key")
        self._count = 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self._key,
                "-out", self.ca, "-subj", f"/CN={name}", "-days", "30")

    def issue(self, names="DNS:api.example.com,DNS:localhost,IP:127.0.0.1", subject="/CN=test", days=30, rsa=False, stem=None):
        """@param days until it expires; negative: it has."""
        self._count += 1
        made = Identity(stem or os.path.join(self.directory, f"{self._count}"))
        request, extensions = made.stem + ".csr", made.stem + ".ext"
        with open(extensions, "w") as file:
            file.write(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", "-new", "-newkey", *kind, "-nodes", "-keyout", made.key, "-out", request, "-subj", subject)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-set_serial", f"0x{os.urandom(8).hex()}",
                "-days", days, "-extfile", extensions, "-out", made.cert)
        return made

    def ocsp(self, identity, status="V"):
        """A response about it. @return the path."""
        stem = identity.stem
        expiry = time.strftime("%y%m%d%H%M%SZ", time.gmtime(identity.not_after))
        with open(stem + ".index", "w") as file:
            file.write(f"{status}\t{expiry}\t{expiry if status == 'R' else ''}\t{identity.serial}\tunknown\t/CN=test\n")
        openssl("ocsp", "-issuer", self.ca, "-cert", identity.cert, "-no_nonce", "-reqout", stem + ".req")
        openssl("ocsp", "-index", stem + ".index", "-CA", self.ca, "-rsigner", self.ca, "-rkey", self._key, "-reqin", stem + ".req",
                "-respout", stem + ".ocsp", "-ndays", "7")
        return stem + ".ocsp"

    # --- contexts of Python's own TLS
    def client(self, identity=None, least=None, most=None, alpn=None):
        """Trusts this authority. @param alpn names of protocols to offer, in the order of preference."""
        context = ssl.create_default_context(cafile=self.ca)
        if identity:
            context.load_cert_chain(identity.cert, identity.key)
        if least:
            context.minimum_version = least
        if most:
            context.maximum_version = most
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def server(self, identity, most=None, alpn=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.cert, identity.key)
        if most:
            context.maximum_version = most
        if alpn:
            context.set_alpn_protocols(alpn)
        return context
