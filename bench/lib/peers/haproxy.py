"""HAProxy of the distribution: one thread; many routes go through a map file, its fastest way."""

import shutil

import certificate
from peers import program
from processes import answers


class HAProxy:
    name = "haproxy"
    optional = False
    splits_requests = True

    def missing(self):
        return None if shutil.which("haproxy") else "no haproxy: apt-get install haproxy"

    def version(self):
        return program.first_line(["haproxy", "-v"], r"version (\d+\.\d+\.\d+)")

    def choice(self, scenario, home):
        """How a request finds its backend. One that is not in the map finds none: 503, an error."""
        keys = scenario.hosts() or scenario.prefixes()
        if not keys:
            return "default_backend both"
        table = program.write(home, "routes.map", "".join(f"{key} both\n" for key in keys))
        sample = "req.hdr(host),map_str" if scenario.hosts() else "path,map_beg"
        return f"use_backend %[{sample}({table},none)]"

    def bind(self, scenario, home, port):
        protocol = " proto h2" if scenario.http2() else ""
        tls = (f" ssl crt {home}/{certificate.BOTH} ssl-min-ver {certificate.VERSION} ciphersuites {certificate.SUITE} "
               f"curves {certificate.GROUP}" if scenario.tls else "")
        return f"bind 127.0.0.1:{port}{protocol}{tls}"

    def configuration(self, scenario, home, port, old, new):
        protocol = " proto h2" if scenario.http2_upstream else ""
        # Without the ratios HAProxy closes idle upstream connections as soon as a quarter of its files are in use, which
        # 1,000 clients reach: a request then costs two to three times as much.
        return f"""global
    nbthread 1
    maxconn {scenario.capacity()}
    tune.pool-low-fd-ratio 90
    tune.pool-high-fd-ratio 95
defaults
    mode http
    http-reuse always
    retries 1
    timeout connect 1s
    timeout client 60s
    timeout server 30s
    timeout http-request 10s
    timeout http-keep-alive 60s
frontend web
    {self.bind(scenario, home, port)}
    {self.choice(scenario, home)}
backend both
    balance roundrobin
    server old 127.0.0.1:{old} weight {100 - scenario.weight}{protocol}
    server new 127.0.0.1:{new} weight {scenario.weight}{protocol}
"""

    def start(self, processes, scenario, old, new, cpu):
        home = program.home(processes, self.name, scenario)
        port = processes.free_port()
        path = program.write(home, "haproxy.cfg", self.configuration(scenario, home, port, old, new))
        process = processes.start(home, ["haproxy", "-db", "-f", path], cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port
