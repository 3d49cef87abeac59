"""nghttpx of the distribution (package nghttp2-proxy): one worker. Without TLS it takes HTTP/1.1 and HTTP/2 on one port."""

import shutil

import certificate
from peers import program
from processes import answers


class Nghttpx:
    name = "nghttpx"
    optional = True
    splits_requests = True

    def missing(self):
        return None if shutil.which("nghttpx") else "no nghttpx: apt-get install nghttp2-proxy"

    def version(self):
        return program.first_line(["nghttpx", "--version"], r"nghttp2/(\S+)")

    def tls(self, home):
        return f"""private-key-file={home}/{certificate.KEY}
certificate-file={home}/{certificate.CERT}
tls-min-proto-version={certificate.VERSION}
tls13-ciphers={certificate.SUITE}
ecdh-curves={certificate.GROUP}
no-ocsp=yes
"""

    def configuration(self, scenario, home, port, old, new):
        sides = ((old, 100 - scenario.weight), (new, scenario.weight))
        protocol = ";proto=h2" if scenario.http2_upstream else ""
        backends = "\n".join(f"backend=127.0.0.1,{side};/;weight={weight}{protocol}" for side, weight in sides if weight)
        return f"""frontend=127.0.0.1,{port}{"" if scenario.tls else ";no-tls"}
{backends}
{self.tls(home) if scenario.tls else ""}workers=1
backlog=4096
no-via=yes
no-add-x-forwarded-proto=yes
no-location-rewrite=yes
no-server-rewrite=yes
frontend-read-timeout=60s
frontend-keep-alive-timeout=60s
backend-connect-timeout=1s
backend-read-timeout=30s
backend-write-timeout=30s
backend-keep-alive-timeout=60s
errorlog-file=/dev/stderr
"""

    def start(self, processes, scenario, old, new, cpu):
        home = program.home(processes, self.name, scenario)
        port = processes.free_port()
        path = program.write(home, "nghttpx.conf", self.configuration(scenario, home, port, old, new))
        process = processes.start(home, ["nghttpx", f"--conf={path}"], cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port
