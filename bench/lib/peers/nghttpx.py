"""nghttpx of the distribution (package nghttp2-proxy): one worker, HTTP/1.1 on both legs."""

import shutil

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

    def configuration(self, scenario, port, old, new):
        sides = ((old, 100 - scenario.weight), (new, scenario.weight))
        backends = "\n".join(f"backend=127.0.0.1,{side};/;weight={weight}" for side, weight in sides if weight)
        return f"""frontend=127.0.0.1,{port};no-tls
{backends}
workers=1
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
        home = processes.home(f"nghttpx-{scenario.name}")
        port = processes.free_port()
        path = program.write(home, "nghttpx.conf", self.configuration(scenario, port, old, new))
        process = processes.start(home, ["nghttpx", f"--conf={path}"], cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port
