"""What one test starts, ended in the right order: clients, origins, then every Tidegate with the rules of finish()."""
from .client import Client
from .dns import NameServer
from .nginx import Nginx
from .origin import Origin, ok, serve
from .prometheus import Prometheus
from .proxies import Haproxy, Nghttpx, NginxServer
from .tidegate import Tidegate, make_config


class Lab:
    def __init__(self, directory):
        self.directory = directory
        self._closing = []
        self._tidegates = []
        self._count = 0

    def _next(self, name):
        self._count += 1
        return self.directory / f"{self._count}-{name}"

    def keep(self, thing):
        """thing.close() is called at the end."""
        self._closing.append(thing)
        return thing

    def nginx(self, side, **options):
        return self.keep(Nginx(side, self._next("nginx-" + side), **options))

    def origin(self, script, **options):
        return self.keep(Origin(script, **options))

    def origins(self, hosts, script=None):
        """One on each of these addresses, on the same port. @param script of all; default: answers with its address."""
        for _ in range(20):
            port, made = 0, []
            try:
                for host in hosts:
                    made.append(Origin(script or serve(ok(host)), host=host, port=port))
                    port = int(made[0].address.rsplit(":", 1)[1])
                return [self.keep(one) for one in made]
            except OSError:  # another has that port on one of the addresses
                for one in made:
                    one.close()
        raise AssertionError("no port is free on all of " + " ".join(hosts))

    def name_server(self, *records):
        """With these records for every name, until it is told otherwise."""
        return self.keep(NameServer().answers(*records))

    def http2_origin(self, handler, **options):
        from .http2 import Http2Origin  # the h2 library is there for those who need it
        return self.keep(Http2Origin(handler, **options))

    def alpn_origin(self, handler, **options):
        from .http2 import AlpnOrigin
        return self.keep(AlpnOrigin(handler, **options))

    def http2_client(self, tidegate, **options):
        from .http2 import Http2Client
        return self.keep(Http2Client(tidegate.address, **options))

    def haproxy(self, body, **options):
        return self.keep(Haproxy(self._next("haproxy"), body, **options))

    def nginx_server(self, body, **options):
        return self.keep(NginxServer(self._next("nginx"), body, **options))

    def nghttpx(self, target):
        """Speaks HTTP/2 to `target`, for clients that do not."""
        return self.keep(Nghttpx(self._next("nghttpx"), target if isinstance(target, str) else target.address))

    def proxy_sender(self, target, how, **options):
        """A HAProxy that forwards to `target`. @param how send-proxy, send-proxy-v2 or nothing."""
        return self.keep(Haproxy.sender(self._next("haproxy"), target, how, **options))

    def proxy_receiver(self, kind, **options):
        """A server that answers what the PROXY header of a connection said. @param kind Haproxy or NginxServer."""
        return self.keep(kind.receiver(self._next("receiver"), **options))

    def prometheus(self, target, address=None):
        return self.keep(Prometheus(target, self._next("prometheus"), address))

    def tidegate(self, config, **options):
        tidegate = Tidegate(config, self._next("tidegate"), **options)
        self._tidegates.append(tidegate)
        return tidegate

    def proxy(self, old, new=None, process=None, **options):
        """A Tidegate for make_config(old, new, **options)."""
        return self.tidegate(make_config(old, new, **options), **(process or {}))

    def client(self, tidegate, **options):
        return self.keep(Client(tidegate if isinstance(tidegate, str) else tidegate.address, **options))

    def finish(self):
        problems = []
        for thing in reversed(self._closing):
            thing.close()
        for thing in self._closing:
            problems += [f"an origin's script failed:\n{error}" for error in getattr(thing, "errors", [])]
        for tidegate in self._tidegates:
            try:
                tidegate.finish()
            except AssertionError as error:
                problems.append(str(error))
        assert not problems, "\n".join(problems)

    def abandon(self):
        for tidegate in self._tidegates:
            tidegate.abandon()
