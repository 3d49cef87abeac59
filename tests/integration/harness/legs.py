"""What a client and an origin may speak with a Tidegate between them: the same requests and handlers whatever the protocols."""

DOWN = ("http1", "h2c", "tls-http1", "tls-h2")
UP = ("http1", "h2c", "tls-http1", "tls-h2", "tls-auto")    # auto: the origin offers both, so it is h2

_OFFERED = {"tls-http1": ["http/1.1"], "tls-h2": ["h2"], "tls-auto": ["h2", "http/1.1"]}
_PROTOCOL = {"http1": "http1", "h2c": "http2", "tls-http1": "http1", "tls-h2": "http2", "tls-auto": "auto"}


class Legs:
    """One pair of protocols. Clients have get() and post(); origins answer by a handler (http2.py)."""

    def __init__(self, lab, authority, identity, down, up):
        self.lab, self.authority, self.identity = lab, authority, identity
        self.down, self.up = down, up

    def server_tls(self, offered):
        """@return None without TLS"""
        return self.authority.server(self.identity, alpn=offered) if offered else None

    def origin(self, handler):
        if self.up == "h2c":
            return self.lab.http2_origin(handler)
        return self.lab.alpn_origin(handler, tls=self.server_tls(_OFFERED.get(self.up)))

    def scripted(self, script, **options):
        """An origin of HTTP/1.1 that plays a script."""
        assert self.up in ("http1", "tls-http1")
        return self.lab.origin(script, tls=self.server_tls(_OFFERED.get(self.up)), **options)

    def proxy(self, old, new=None, listener=None, cluster=None, **options):
        """A Tidegate for lab.proxy()'s options, with these protocols."""
        secure = {"tls": {"ca": self.authority.ca}} if self.up in _OFFERED else {}
        cluster = {"protocol": _PROTOCOL[self.up], **secure, **(cluster or {})}
        tls = {"tls": {"certificates": [self.identity.files()]}} if self.down in _OFFERED else {"h2c": True}
        return self.lab.proxy(old, new or old, listener={**tls, **(listener or {})}, cluster=cluster, **options)

    def client(self, tidegate):
        offered = _OFFERED.get(self.down)
        tls = self.authority.client(alpn=offered) if offered else None
        make = self.lab.http2_client if self.down in ("h2c", "tls-h2") else self.lab.client
        return make(tidegate, tls=tls)
