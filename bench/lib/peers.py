"""The proxies that are compared: one worker each, the same timeouts, upstream connections kept and shared, no logs.

The peers do what forwarding needs and no more: they add no X-Forwarded-* or request id, as Tidegate always does, and have no
gate and no metrics. That is on purpose: Tidegate's bars (PRODUCT, numbers) count its whole work against their least."""

import os
import re
import shutil
import subprocess

import nginx
from processes import NotStarted, answers

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
UNLIMITED = 1000000000


def first_line(command, pattern):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10, check=False)
    found = re.search(pattern, done.stdout)
    return found.group(1) if found else "?"


class Tidegate:
    name = "tidegate"

    def __init__(self):
        self.program = os.path.realpath(os.environ.get("TIDEGATE_BIN") or os.path.join(ROOT, "build", "release", "tidegate"))

    def missing(self):
        if os.access(self.program, os.X_OK):
            return None
        return (f"no program at {self.program}. Build it with\n  cmake --preset release && cmake --build --preset release\n"
                "or name another one in TIDEGATE_BIN.")

    def version(self):
        return first_line([self.program, "version"], r"(\d+\.\d+\S*)")

    def configuration(self, scenario, home, old, new):
        # Gate, metrics and durable state are always on.
        mirror = f"    mirror: {{percent: {scenario.mirror}, concurrency: 1000}}\n" if scenario.mirror else ""
        log = os.path.join(home, "access.log") if scenario.access_log else "off"
        return f"""workers: 1
listeners:
  - name: web
    address: 127.0.0.1:0
    timeouts: {{header: 10s, idle: 60s, body_idle: 30s}}
clusters:
  old: {{endpoints: ["127.0.0.1:{old}"], timeouts: {{connect: 1s, response_header: 30s, idle: 30s}}}}
  new: {{endpoints: ["127.0.0.1:{new}"], timeouts: {{connect: 1s, response_header: 30s, idle: 30s}}}}
routes:
  - name: all
    weight: {scenario.weight}
{mirror}state: {{store: sqlite, path: {home}/state.db}}
admin: {{address: "127.0.0.1:0"}}
log: {{access: {{path: "{log}"}}}}
"""

    def start(self, processes, scenario, old, new, cpu):
        home = os.path.join(processes.directory, f"tidegate-{scenario.name}")
        os.makedirs(home, exist_ok=True)
        path = os.path.join(home, "tidegate.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.configuration(scenario, home, old, new))
        process = processes.start(f"tidegate-{scenario.name}", [self.program, "run", "--config", path], cpu)

        def port():
            text = processes.log_of(process)
            found = re.search(r"listening on 127\.0\.0\.1:(\d+) \(web\)", text)
            return int(found.group(1)) if found and " ready" in text else None
        return process, processes.wait_for(process, port)


class HAProxy:
    name = "haproxy"

    def missing(self):
        return None if shutil.which("haproxy") else "no haproxy: apt-get install haproxy"

    def version(self):
        return first_line(["haproxy", "-v"], r"version (\d+\.\d+\.\d+)")

    def configuration(self, scenario, port, old, new):
        return f"""global
    nbthread 1
    maxconn 4000
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
    bind 127.0.0.1:{port}
    default_backend both
backend both
    balance roundrobin
    server old 127.0.0.1:{old} weight {100 - scenario.weight}
    server new 127.0.0.1:{new} weight {scenario.weight}
"""

    def start(self, processes, scenario, old, new, cpu):
        port = processes.free_port()
        path = os.path.join(processes.directory, f"haproxy-{scenario.name}.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.configuration(scenario, port, old, new))
        process = processes.start(f"haproxy-{scenario.name}", ["haproxy", "-db", "-f", path], cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port


class Nginx:
    name = "nginx"

    def missing(self):
        return None if shutil.which("nginx") else "no nginx: apt-get install nginx-light"

    def version(self):
        return first_line(["nginx", "-v"], r"nginx/(\S+)")

    def configuration(self, scenario, home, port, old, new):
        def upstream(name, servers):
            return (f"    upstream {name} {{ {servers} keepalive 512; keepalive_requests {UNLIMITED}; "
                    "keepalive_timeout 60s; }")

        sides = (("old", old, 100 - scenario.weight), ("new", new, scenario.weight))
        split = " ".join(f"server 127.0.0.1:{port_} weight={weight};" for _, port_, weight in sides if weight)
        copies = """
        location = /copy { internal; proxy_pass http://copies$request_uri; }""" if scenario.mirror else ""
        # Buffering stays on, as NGINX's default; without temporary files, so that no disk is measured.
        return nginx.frame(home, "\n".join([
            upstream("both", split), upstream("copies", f"server 127.0.0.1:{new};"), f"""
    client_header_timeout 10s;
    client_body_timeout 30s;
    send_timeout 30s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_connect_timeout 1s;
    proxy_read_timeout 30s;
    proxy_send_timeout 30s;
    proxy_max_temp_file_size 0;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ {"mirror /copy; mirror_request_body off; " if scenario.mirror else ""}proxy_pass http://both; }}{copies}
    }}"""]))

    def start(self, processes, scenario, old, new, cpu):
        name = f"nginx-{scenario.name}"
        home = nginx.directory(processes.directory, name)
        port = processes.free_port()
        process = nginx.start(processes, name, home, self.configuration(scenario, home, port, old, new), cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port


def all_peers():
    peers = {peer.name: peer for peer in (Tidegate(), HAProxy(), Nginx())}
    problems = [problem for problem in (peer.missing() for peer in peers.values()) if problem]
    if not shutil.which("wrk"):
        problems.append("no wrk: apt-get install wrk")
    if problems:
        raise NotStarted("\n".join(problems))
    return peers
