"""Tidegate: gate, metrics and durable state are always on, as in production."""

import os
import re

import certificate
from peers import program


class Tidegate:
    name = "tidegate"
    optional = False
    splits_requests = True

    def __init__(self):
        self.program = program.tidegate()

    def missing(self):
        if os.access(self.program, os.X_OK):
            return None
        return (f"no program at {self.program}. Build it with\n  cmake --preset release && cmake --build --preset release\n"
                "or name another one in TIDEGATE_BIN.")

    def version(self):
        return program.first_line([self.program, "version"], r"(\d+\.\d+\S*)")

    def route(self, name, match, scenario):
        mirror = f"    mirror: {{percent: {scenario.mirror}, concurrency: 1000}}\n" if scenario.mirror else ""
        return f"  - name: {name}\n{match}    weight: {scenario.weight}\n{mirror}"

    def routes(self, scenario):
        hosts = [f"    match: {{hosts: [{host}]}}\n" for host in scenario.hosts()]
        prefixes = [f"    match: {{path: {{prefix: {prefix}}}}}\n" for prefix in scenario.prefixes()]
        return "".join(self.route(f"r{n}", match, scenario) for n, match in enumerate(hosts + prefixes or [""]))

    def listener(self, scenario, home):
        """What it has beyond an address."""
        if scenario.tls:
            return (f"    tls: {{certificates: [{{cert: {home}/{certificate.CERT}, key: {home}/{certificate.KEY}}}], "
                    'min_version: "1.3"}\n')
        return "    h2c: true\n" if scenario.http2() else ""

    def configuration(self, scenario, home, old, new):
        log = os.path.join(home, "access.log") if scenario.access_log else "off"
        protocol = ", protocol: http2" if scenario.http2_upstream else ""
        common = "timeouts: {connect: 1s, response_header: 30s, idle: 30s}" + protocol
        return f"""workers: 1
listeners:
  - name: web
    address: 127.0.0.1:0
    timeouts: {{header: 10s, idle: 60s, body_idle: 30s}}
{self.listener(scenario, home)}clusters:
  old: {{endpoints: ["127.0.0.1:{old}"], {common}}}
  new: {{endpoints: ["127.0.0.1:{new}"], {common}}}
routes:
{self.routes(scenario)}state: {{store: sqlite, path: {home}/state.db}}
admin: {{address: "127.0.0.1:0"}}
log: {{access: {{path: "{log}"}}}}
"""

    def start(self, processes, scenario, old, new, cpu):
        home = program.home(processes, self.name, scenario)
        path = program.write(home, "tidegate.yaml", self.configuration(scenario, home, old, new))
        process = processes.start(home, [self.program, "run", "--config", path], cpu)

        def port():
            text = processes.log_of(process)
            found = re.search(r"listening on 127\.0\.0\.1:(\d+) \(web\)", text)
            return int(found.group(1)) if found and " ready" in text else None
        return process, processes.wait_for(process, port)
