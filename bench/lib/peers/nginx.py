"""NGINX of the distribution: one worker; `mirror` for copies, `server_name` or `location` for many routes."""

import shutil

import certificate
import nginx_process
from peers import program
from processes import answers


class Nginx:
    name = "nginx"
    optional = False
    splits_requests = True

    def missing(self):
        return None if shutil.which("nginx") else "no nginx: apt-get install nginx-light"

    def version(self):
        return program.first_line(["nginx", "-v"], r"nginx/(\S+)")

    def upstream(self, name, servers):
        return (f"    upstream {name} {{ {servers} keepalive 2048; keepalive_requests {program.UNLIMITED}; "
                "keepalive_timeout 60s; }")

    def servers(self, scenario, port):
        """One, or one for each host; with a location for all, or for each prefix. What fits none is 404, an error."""
        mirror = "mirror /copy; mirror_request_body off; " if scenario.mirror else ""
        target = f"{mirror}{'grpc_pass grpc' if scenario.grpc else 'proxy_pass http'}://both;"
        copies = "location = /copy { internal; proxy_pass http://copies$request_uri; }" if scenario.mirror else ""
        if scenario.hosts():
            return "\n".join([f"    server {{ listen 127.0.0.1:{port} backlog=4096 default_server; return 404; }}"] + [
                f"    server {{ listen 127.0.0.1:{port}; server_name {host}; location / {{ {target} }} }}"
                for host in scenario.hosts()])
        locations = [f"location {prefix}/ {{ {target} }}" for prefix in scenario.prefixes()]
        body = "\n        ".join(locations or [f"location / {{ {target} }}", copies])
        kind = " ssl" if scenario.tls else " http2" if scenario.http2() else ""
        return f"    server {{\n        listen 127.0.0.1:{port}{kind} backlog=4096;\n        {body}\n    }}"

    def tls(self, home):
        return f"""
    ssl_certificate {home}/{certificate.CERT};
    ssl_certificate_key {home}/{certificate.KEY};
    ssl_protocols {certificate.VERSION};
    ssl_conf_command Ciphersuites {certificate.SUITE};
    ssl_ecdh_curve {certificate.GROUP};"""

    def configuration(self, scenario, home, port, old, new):
        sides = (("old", old, 100 - scenario.weight), ("new", new, scenario.weight))
        split = " ".join(f"server 127.0.0.1:{port_} weight={weight};" for _, port_, weight in sides if weight)
        # Answers are buffered, as is NGINX's default, but without temporary files, so that no disk is measured; for the same
        # reason uploads are passed on as they come, as the others do.
        return nginx_process.frame(home, "\n".join([
            self.upstream("both", split), self.upstream("copies", f"server 127.0.0.1:{new};"), f"""
    server_names_hash_max_size 8192;
    client_header_timeout 10s;
    client_body_timeout 30s;
    client_max_body_size 0;
    send_timeout 30s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_connect_timeout 1s;
    proxy_read_timeout 30s;
    proxy_send_timeout 30s;
    proxy_max_temp_file_size 0;
    proxy_request_buffering off;
    grpc_connect_timeout 1s;
    grpc_read_timeout 30s;
    grpc_send_timeout 30s;{self.tls(home) if scenario.tls else ""}
{self.servers(scenario, port)}"""]), connections=2 * scenario.capacity())

    def start(self, processes, scenario, old, new, cpu):
        home = program.home(processes, self.name, scenario)
        port = processes.free_port()
        process = nginx_process.start(processes, home, self.configuration(scenario, home, port, old, new), cpu)
        processes.wait_for(process, lambda: answers(port))
        return process, port
